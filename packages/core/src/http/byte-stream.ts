/** Where a stream is pushed to. */
export interface Sink {
  /** Gives false when the sink is full: nothing more comes before `resume` is called on the stream. */
  write(chunk: Uint8Array): boolean
  end(): void
  /** The stream broke. What was written stands. */
  fail(error: Error): void
}

/** What a stream tells the side that feeds it. */
export interface Source {
  /** The reader wants more after a `write` that gave false. */
  onResume(): void
  /** The reader is gone: nothing that is written arrives any more. Called at most once, never after the end. */
  onCancel(): void
}

type State = 'open' | 'ended' | 'failed' | 'cancelled'

/**
 * A one-way stream of bytes from a source that pushes to one reader that pipes or iterates.
 *
 * Written by hand instead of a web or Node stream, because it costs no promise per chunk, and because whatever the host
 * does with it — pipe, iterate, drop before the first read — the source hears of the end exactly once.
 */
export class ByteStream implements AsyncIterable<Uint8Array> {
  #state: State = 'open'
  #error: Error | undefined
  #queue: Uint8Array[] = []
  #sink: Sink | undefined
  #isFull = false
  readonly #source: Source

  constructor(source: Source) {
    this.#source = source
  }

  get isOver(): boolean {
    return this.#state !== 'open'
  }

  // The source's side.

  /** Gives false when the reader is not ready for more. Bytes written after the reader has gone are dropped. */
  write(chunk: Uint8Array): boolean {
    if (this.#state !== 'open') return true
    if (this.#sink === undefined || this.#isFull) {
      this.#queue.push(chunk)
      return false
    }
    this.#isFull = !this.#sink.write(chunk)
    return !this.#isFull
  }

  end(): void {
    if (this.#state !== 'open') return
    this.#state = 'ended'
    this.#deliver()
  }

  fail(error: Error): void {
    if (this.#state !== 'open') return
    this.#state = 'failed'
    this.#error = error
    this.#deliver()
  }

  // The reader's side.

  /** Pushes everything, from the first byte, into `sink`. A stream has one reader. */
  pipe(sink: Sink): void {
    if (this.#sink !== undefined) throw new Error('This stream already has a reader.')
    this.#sink = sink
    this.resume()
  }

  /** Goes on after the sink was full. */
  resume(): void {
    this.#isFull = false
    this.#deliver()
    if (!this.#isFull && this.#state === 'open') this.#source.onResume()
  }

  /** Stops reading: nothing more is delivered. The source is told unless it has already ended. */
  cancel(): void {
    const wasOpen = this.#state === 'open'
    this.#state = 'cancelled'
    this.#queue = []
    if (wasOpen) this.#source.onCancel()
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return iterate(this)
  }

  #deliver(): void {
    const sink = this.#sink
    if (sink === undefined) return
    while (this.#queue.length > 0 && !this.#isFull) {
      const chunk = this.#queue.shift()
      if (chunk !== undefined) this.#isFull = !sink.write(chunk)
    }
    if (this.#queue.length > 0) return
    if (this.#state === 'ended') sink.end()
    else if (this.#state === 'failed' && this.#error !== undefined) sink.fail(this.#error)
    else return
    this.#sink = { write: () => true, end: () => undefined, fail: () => undefined }
  }
}

type Waiter = {
  readonly resolve: (result: IteratorResult<Uint8Array>) => void
  readonly reject: (error: Error) => void
}

/** Reads a stream chunk by chunk. A dropped iterator cancels the stream, also before its first read. */
function iterate(stream: ByteStream): AsyncIterator<Uint8Array> {
  const ready: Uint8Array[] = []
  const waiters: Waiter[] = []
  let ending: { readonly error?: Error } | undefined
  const finish = (error?: Error) => {
    const first = error === undefined ? undefined : waiters.shift()
    if (error !== undefined) first?.reject(error)
    // An error is thrown once; every read after it finds the end.
    ending = error === undefined || first !== undefined ? {} : { error }
    for (const waiter of waiters.splice(0)) waiter.resolve({ done: true, value: undefined })
  }
  stream.pipe({
    write(chunk) {
      const waiter = waiters.shift()
      if (waiter === undefined) ready.push(chunk)
      else waiter.resolve({ done: false, value: chunk })
      return waiter !== undefined
    },
    end: () => finish(),
    fail: finish,
  })
  return {
    next: () =>
      new Promise((resolve, reject) => {
        const chunk = ready.shift()
        if (chunk !== undefined) resolve({ done: false, value: chunk })
        else if (ending !== undefined) {
          const { error } = ending
          ending = {}
          if (error === undefined) resolve({ done: true, value: undefined })
          else reject(error)
        } else {
          waiters.push({ resolve, reject })
          stream.resume()
        }
      }),
    return: async () => {
      stream.cancel()
      ready.length = 0
      finish()
      return { done: true, value: undefined }
    },
  }
}
