import { describe, expect, it } from 'vitest'
import { isUnit, measureOf, sizedImageUnit } from './unit.ts'

describe('a unit', () => {
  it.each([
    ['input_token', 'input'],
    ['cache_write_1h_token', 'input'],
    ['cached_input_image_token', 'input'],
    ['reasoning_token', 'output'],
    ['output_image_token', 'output'],
    ['output_image', 'image'],
    ['output_image:1024x1792:hd', 'sized-image'],
    ['output_image:512x512', 'sized-image'],
    ['megapixel', 'megapixel'],
    ['character', 'character'],
    ['audio_second', 'audio'],
    ['compute_second', 'compute'],
    ['compute_second:gpu-a100-large-8x', 'compute'],
    ['request', 'request'],
    ['web_search_request', 'web-search'],
    ['search_unit', 'search'],
  ])('%s measures %s', (unit, measure) => {
    expect(measureOf(unit)).toBe(measure)
    expect(isUnit(unit)).toBe(true)
  })

  it.each([
    'token',
    'Input_token',
    'output_image:',
    'output_image:640x480',
    'output_image:1024x1024:hd:more',
    'compute_second:',
    'compute_second:gpu t4',
    `compute_second:${'x'.repeat(41)}`,
    'toString',
    '__proto__',
    '',
  ])('is not "%s"', (text) => {
    expect(measureOf(text)).toBeUndefined()
    expect(isUnit(text)).toBe(false)
  })
})

describe('the unit of an image', () => {
  it('is its size and quality, where anybody prices by them, so that callers cannot make up units', () => {
    expect(sizedImageUnit('1792x1024', 'hd')).toBe('output_image:1792x1024:hd')
    expect(sizedImageUnit('1000x1000', 'hd')).toBeUndefined()
    expect(sizedImageUnit('1024x1024', 'best')).toBeUndefined()
    expect(sizedImageUnit('1024x1024', '')).toBeUndefined()
  })
})
