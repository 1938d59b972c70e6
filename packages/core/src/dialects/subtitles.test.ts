import { expect, it } from 'vitest'
import { subtitles } from './subtitles.ts'

const segments = [
  { start: 0, end: 1.5, text: ' Hello.' },
  { start: 3661.0004, end: 3662.25, text: 'Two\n\nlines' },
]

it('are numbered blocks in SubRip', () => {
  expect(subtitles(segments, 'srt')).toBe(
    '1\n00:00:00,000 --> 00:00:01,500\nHello.\n\n2\n01:01:01,000 --> 01:01:02,250\nTwo\nlines\n\n',
  )
})

it('have a head and points in WebVTT', () => {
  expect(subtitles(segments, 'vtt')).toBe(
    'WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello.\n\n01:01:01.000 --> 01:01:02.250\nTwo\nlines\n\n',
  )
})
