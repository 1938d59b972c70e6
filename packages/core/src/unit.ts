/**
 * What is counted. Token classes partition the tokens of a request, whatever convention the provider reports in: a token
 * is in one class only, and all classes together are all tokens. `input_token` is what is in none of the other classes of
 * input, `output_token` what is in none of the other classes of output.
 *
 * An image may be counted by its size and quality (`output_image:1024x1024:hd`), a second of compute by what it ran on
 * (`compute_second:gpu-l40s`).
 */
export type Unit = FlatUnit | `output_image:${string}` | `compute_second:${string}`

type FlatUnit =
  | 'input_token'
  | 'cached_input_token'
  // Cache writes whose time to live the provider does not tell, and those that it does.
  | 'cache_write_token'
  | 'cache_write_5m_token'
  | 'cache_write_1h_token'
  | 'input_audio_token'
  | 'cached_input_audio_token'
  | 'input_image_token'
  | 'cached_input_image_token'
  | 'output_token'
  | 'reasoning_token'
  | 'output_audio_token'
  | 'output_image_token'
  | 'output_image'
  | 'megapixel'
  | 'character'
  | 'audio_second'
  | 'compute_second'
  | 'request'
  | 'web_search_request'
  | 'search_unit'

/**
 * The ways to measure. Units of one measure add up. Different measures are different views of the same work — a job in
 * seconds, in images and in tokens — and a price names the ones that count. A web search comes on top of everything else.
 */
export type Measure =
  | 'input'
  | 'output'
  | 'image'
  | 'sized-image'
  | 'megapixel'
  | 'character'
  | 'audio'
  | 'compute'
  | 'request'
  | 'web-search'
  | 'search'

const measures: Readonly<Record<FlatUnit, Measure>> = {
  input_token: 'input',
  cached_input_token: 'input',
  cache_write_token: 'input',
  cache_write_5m_token: 'input',
  cache_write_1h_token: 'input',
  input_audio_token: 'input',
  cached_input_audio_token: 'input',
  input_image_token: 'input',
  cached_input_image_token: 'input',
  output_token: 'output',
  reasoning_token: 'output',
  output_audio_token: 'output',
  output_image_token: 'output',
  output_image: 'image',
  megapixel: 'megapixel',
  character: 'character',
  audio_second: 'audio',
  compute_second: 'compute',
  request: 'request',
  web_search_request: 'web-search',
  search_unit: 'search',
}

/** Sizes and qualities that images are priced by anywhere. A list, so that no caller can make up units. */
const imageSizes = ['256x256', '512x512', '1024x1024', '1024x1536', '1536x1024', '1024x1792', '1792x1024']
const imageQualities = ['standard', 'hd', 'low', 'medium', 'high']

const sizedImage = new RegExp(
  `^output_image:(?:${imageSizes.join('|')})(?::(?:${imageQualities.join('|')}))?$`,
)
const computeOn = /^compute_second:[a-z0-9-]{1,40}$/

/** The unit of an image of this size and quality; `undefined` when nobody prices by it. */
export function sizedImageUnit(size: string, quality: string): Unit | undefined {
  const unit = `output_image:${size}:${quality}` as const
  return sizedImage.test(unit) ? unit : undefined
}

/** How a unit measures; `undefined` for text that is no unit. */
export function measureOf(unit: string): Measure | undefined {
  if (Object.hasOwn(measures, unit)) return measures[unit as FlatUnit]
  if (sizedImage.test(unit)) return 'sized-image'
  return computeOn.test(unit) ? 'compute' : undefined
}

/** Whether text names a unit that can be priced. */
export function isUnit(text: string): text is Unit {
  return measureOf(text) !== undefined
}
