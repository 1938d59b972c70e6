import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ByteStream, type Sink } from './byte-stream.ts'

/** A source that notes what it hears. */
function createSource() {
  const heard: string[] = []
  const stream = new ByteStream({
    onResume: () => heard.push('resume'),
    onCancel: () => heard.push('cancel'),
  })
  return { stream, heard, cancels: () => heard.filter((word) => word === 'cancel').length }
}

/** A sink that notes what it gets and is full after each of the first `fullFor` chunks. */
function createSink(fullFor = 0) {
  const got: string[] = []
  let room = fullFor
  const sink: Sink = {
    write(chunk) {
      got.push(Buffer.from(chunk).toString())
      room -= 1
      return room < 0
    },
    end: () => got.push('end'),
    fail: (error) => got.push(`fail: ${error.message}`),
  }
  return { sink, got }
}

const bytes = (text: string) => Buffer.from(text)

async function readAll(stream: AsyncIterable<Uint8Array>): Promise<string[]> {
  const got: string[] = []
  for await (const chunk of stream) got.push(Buffer.from(chunk).toString())
  return got
}

describe('a stream that is piped', () => {
  it('hands on what was written before and after, in order, and then the end once', () => {
    const { stream } = createSource()
    const { sink, got } = createSink()
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.pipe(sink)
    stream.write(bytes('c'))
    stream.end()
    stream.end()
    stream.resume()
    expect(got).toEqual(['a', 'b', 'c', 'end'])
  })

  it('hands on what was written before it failed, and then the failure once', () => {
    const { stream } = createSource()
    const { sink, got } = createSink()
    stream.write(bytes('a'))
    stream.fail(new Error('broken'))
    stream.fail(new Error('again'))
    stream.end()
    stream.pipe(sink)
    stream.resume()
    expect(got).toEqual(['a', 'fail: broken'])
  })

  it('asks the source for more as soon as it has a reader', () => {
    const { stream, heard } = createSource()
    expect(stream.write(bytes('a'))).toBe(false)
    stream.pipe(createSink().sink)
    expect(heard).toEqual(['resume'])
    expect(stream.write(bytes('b'))).toBe(true)
  })

  it('tells a full sink’s source to wait, holds what still comes, and goes on after resume', () => {
    const { stream, heard } = createSource()
    const { sink, got } = createSink(1)
    stream.pipe(sink)
    expect(stream.write(bytes('a'))).toBe(false)
    expect(stream.write(bytes('b'))).toBe(false)
    expect(got).toEqual(['a'])
    heard.length = 0
    stream.resume()
    expect(got).toEqual(['a', 'b'])
    expect(heard).toEqual(['resume'])
  })

  it('stays full, and does not ask for more, while the queue alone fills the sink', () => {
    const { stream, heard } = createSource()
    const { sink, got } = createSink(2)
    stream.pipe(sink)
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.write(bytes('c'))
    heard.length = 0
    stream.resume()
    expect(got).toEqual(['a', 'b'])
    expect(heard).toEqual([])
  })

  it('ends only when everything is delivered, also if the end came while the sink was full', () => {
    const { stream } = createSource()
    const { sink, got } = createSink(1)
    stream.pipe(sink)
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.end()
    expect(got).toEqual(['a'])
    stream.resume()
    expect(got).toEqual(['a', 'b', 'end'])
  })

  it('fails only when everything is delivered, also if the failure came while the sink was full', () => {
    const { stream } = createSource()
    const { sink, got } = createSink(1)
    stream.pipe(sink)
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.fail(new Error('broken'))
    expect(got).toEqual(['a'])
    stream.resume()
    expect(got).toEqual(['a', 'b', 'fail: broken'])
  })

  it('has one reader', () => {
    const { stream } = createSource()
    stream.pipe(createSink().sink)
    expect(() => stream.pipe(createSink().sink)).toThrow('already has a reader')
    stream.end()
    expect(() => stream.pipe(createSink().sink)).toThrow('already has a reader')
  })
})

describe('a stream that is cancelled', () => {
  it('tells the source once, however often it is cancelled', () => {
    const { stream, cancels } = createSource()
    stream.cancel()
    stream.cancel()
    expect(cancels()).toBe(1)
    expect(stream.isOver).toBe(true)
  })

  it('does not tell a source that has ended or failed by itself', () => {
    const ended = createSource()
    ended.stream.end()
    ended.stream.cancel()
    const failed = createSource()
    failed.stream.fail(new Error('broken'))
    failed.stream.cancel()
    expect([ended.cancels(), failed.cancels()]).toEqual([0, 0])
  })

  it('drops what is written, ended or failed afterwards', () => {
    const { stream, heard } = createSource()
    const { sink, got } = createSink()
    stream.pipe(sink)
    stream.cancel()
    heard.length = 0
    expect(stream.write(bytes('late'))).toBe(true)
    stream.end()
    stream.fail(new Error('late'))
    stream.resume()
    expect(got).toEqual([])
    expect(heard).toEqual([])
  })

  it('forgets what nobody had read', () => {
    const { stream } = createSource()
    const { sink, got } = createSink(1)
    stream.pipe(sink)
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.cancel()
    stream.resume()
    expect(got).toEqual(['a'])
  })

  it('forgets what nobody had read also when the source had already ended', () => {
    const { stream } = createSource()
    const { sink, got } = createSink(1)
    stream.pipe(sink)
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.end()
    stream.cancel()
    stream.resume()
    expect(got).toEqual(['a'])
  })

  it('may be cancelled by its sink in the middle of a delivery', () => {
    const { stream, cancels } = createSource()
    const got: string[] = []
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.pipe({
      write(chunk) {
        got.push(Buffer.from(chunk).toString())
        stream.cancel()
        return true
      },
      end: () => got.push('end'),
      fail: () => got.push('fail'),
    })
    expect(got).toEqual(['a'])
    expect(cancels()).toBe(1)
  })
})

describe('a stream that is iterated', () => {
  it('gives everything and ends', async () => {
    const { stream, cancels } = createSource()
    stream.write(bytes('a'))
    const reading = readAll(stream)
    stream.write(bytes('b'))
    stream.write(bytes('c'))
    stream.end()
    expect(await reading).toEqual(['a', 'b', 'c'])
    expect(cancels()).toBe(0)
  })

  it('gives what came before a failure, then throws it', async () => {
    const { stream } = createSource()
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.fail(new Error('broken'))
    const got: string[] = []
    const read = async () => {
      for await (const chunk of stream) got.push(Buffer.from(chunk).toString())
    }
    await expect(read()).rejects.toThrow('broken')
    expect(got).toEqual(['a', 'b'])
  })

  it('throws a failure that comes while a read waits', async () => {
    const { stream } = createSource()
    const reading = readAll(stream)
    stream.fail(new Error('broken'))
    await expect(reading).rejects.toThrow('broken')
  })

  it('cancels when the iterator is dropped before its first read', async () => {
    const { stream, cancels } = createSource()
    stream.write(bytes('a'))
    expect(await stream[Symbol.asyncIterator]().return?.()).toEqual({ done: true, value: undefined })
    expect(cancels()).toBe(1)
  })

  it('cancels when a loop breaks off mid-way', async () => {
    const { stream, cancels } = createSource()
    stream.write(bytes('a'))
    for await (const chunk of stream) {
      expect(Buffer.from(chunk).toString()).toBe('a')
      break
    }
    expect(cancels()).toBe(1)
    expect(stream.isOver).toBe(true)
  })

  it('ends a read that waits when the iterator is dropped meanwhile', async () => {
    const { stream, cancels } = createSource()
    const iterator = stream[Symbol.asyncIterator]()
    const waiting = iterator.next()
    await iterator.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(cancels()).toBe(1)
  })

  it('gives nothing more once the iterator was dropped', async () => {
    const { stream } = createSource()
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    const iterator = stream[Symbol.asyncIterator]()
    await iterator.return?.()
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })

  it('answers reads that were asked for at once in order', async () => {
    const { stream } = createSource()
    const iterator = stream[Symbol.asyncIterator]()
    const reads = Promise.all([iterator.next(), iterator.next(), iterator.next()])
    stream.write(bytes('a'))
    stream.write(bytes('b'))
    stream.end()
    expect((await reads).map(({ value }) => value?.toString())).toEqual(['a', 'b', undefined])
  })

  it('lets the source run no further ahead than one chunk beyond what was read', async () => {
    let written = 0
    let isPaused = false
    const push = () => {
      isPaused = false
      while (!isPaused && written < 100) {
        written += 1
        isPaused = !stream.write(bytes(`${written} `))
      }
      if (written === 100) stream.end()
    }
    const stream: ByteStream = new ByteStream({ onResume: push, onCancel: () => undefined })
    let read = 0
    for await (const chunk of stream) {
      read += 1
      expect(Buffer.from(chunk).toString()).toBe(`${read} `)
      expect(written - read).toBeLessThanOrEqual(2)
    }
    expect(read).toBe(100)
  })
})

it('delivers every chunk once and in order, however writes, pauses, resumes and the end interleave', () => {
  const steps = fc.array(fc.constantFrom('write', 'resume', 'fill', 'pipe'), { maxLength: 40 })
  fc.assert(
    fc.property(steps, fc.constantFrom('end', 'fail'), (script, ending) => {
      const { stream, cancels } = createSource()
      const got: string[] = []
      let isFull = false
      let isPiped = false
      const sink: Sink = {
        write(chunk) {
          got.push(Buffer.from(chunk).toString())
          return !isFull
        },
        end: () => got.push('end'),
        fail: () => got.push('fail'),
      }
      const pipe = () => {
        if (!isPiped) stream.pipe(sink)
        isPiped = true
      }
      let written = 0
      for (const step of script) {
        if (step === 'write') {
          stream.write(bytes(String(written)))
          written += 1
        } else if (step === 'fill') isFull = true
        else if (step === 'pipe') pipe()
        else {
          isFull = false
          stream.resume()
        }
      }
      if (ending === 'end') stream.end()
      else stream.fail(new Error('broken'))
      pipe()
      isFull = false
      stream.resume()
      expect(got).toEqual([...Array.from({ length: written }, (_, index) => String(index)), ending])
      expect(cancels()).toBe(0)
    }),
  )
})
