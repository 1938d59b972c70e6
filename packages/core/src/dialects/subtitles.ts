/** A stretch of speech, in seconds from the beginning. */
export interface Segment {
  readonly start: number
  readonly end: number
  readonly text: string
}

/** Segments as a file of subtitles: SubRip, or WebVTT (W3C, 2019-04-04). */
export function subtitles(segments: readonly Segment[], format: 'srt' | 'vtt'): string {
  const point = format === 'srt' ? ',' : '.'
  const blocks = segments.map(({ start, end, text }, index) => {
    const times = `${timeOf(start, point)} --> ${timeOf(end, point)}`
    // A blank line would end the block.
    const lines = text.trim().replace(/(\r?\n)+/g, '\n')
    return `${format === 'srt' ? `${index + 1}\n` : ''}${times}\n${lines}\n\n`
  })
  return `${format === 'vtt' ? 'WEBVTT\n\n' : ''}${blocks.join('')}`
}

function timeOf(seconds: number, point: string): string {
  const milliseconds = Math.max(0, Math.round(seconds * 1000))
  const parts = [3_600_000, 60_000, 1000].map((unit, index, units) => {
    const within = index === 0 ? milliseconds : milliseconds % (units[index - 1] ?? unit)
    return String(Math.floor(within / unit)).padStart(2, '0')
  })
  return `${parts.join(':')}${point}${String(milliseconds % 1000).padStart(3, '0')}`
}
