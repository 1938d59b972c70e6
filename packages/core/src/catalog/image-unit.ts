import type { InferenceCall } from '../dialects/inference-call.ts'
import { sizedImageUnit, type Unit } from '../unit.ts'

/**
 * The unit of the images a call asks for, where images are priced by size and quality; `undefined` for a size or quality
 * that nobody prices. `told` is what the provider says it made.
 */
export function imageUnit(
  { image, body }: InferenceCall,
  told: { readonly size?: unknown; readonly quality?: unknown } = {},
): Unit | undefined {
  const { width, height } = image ?? { width: 1024, height: 1024 }
  const size = typeof told.size === 'string' ? told.size : `${width}x${height}`
  const quality = told.quality ?? body.value['quality'] ?? 'standard'
  return typeof quality === 'string' ? sizedImageUnit(size, quality) : undefined
}
