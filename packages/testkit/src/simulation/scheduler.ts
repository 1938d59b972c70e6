/** One life of a process, from its start to its end. What it waits for never comes once the life is over. */
export interface Life {
  readonly name: string
  isOver: boolean
}

/** Something that will happen: a message that arrives, a timer that runs out. */
export interface Task {
  /** On the elapsed time of the scheduler. */
  readonly atMs: number
  readonly delayMs: number
  /** Tells tasks of the same moment apart. */
  readonly tie: number
  /** Whose it is: it does not happen once that life is over. */
  readonly life: Life
  /** What happens, for the log. Begins with the id of the request it is about, where it is about one. */
  readonly label: string
  readonly run: () => unknown
}

/** Owns everything a simulated process can wait for, so that nothing happens but by its order. */
export interface Scheduler {
  /** Milliseconds since the simulation began. Moves only from one task to the next. */
  readonly elapsedMs: number
  readonly tasks: readonly Task[]
  /** Makes a task; the returned function takes it back. */
  after(delayMs: number, life: Life, label: string, run: () => unknown): () => void
  /** Resolves after a while. Never, when the life is over by then. */
  pause(delayMs: number, life: Life, label: string): Promise<void>
  /** Runs one task and everything that follows from it without waiting. Gives it, or `undefined` when none is left. */
  step(): Promise<Task | undefined>
}

/** Which of the tasks is next. */
export type Choose = (tasks: readonly Task[]) => Task

export interface SchedulerOptions {
  /** In which order tasks of the same moment run: the lower number first. */
  readonly tieBreak: () => number
  /** @default the earliest */
  readonly choose?: Choose | undefined
  /** Told of every task just before it runs. */
  readonly onStep?: (task: Task) => void
}

export function createScheduler({ tieBreak, choose = earliest, onStep }: SchedulerOptions): Scheduler {
  const tasks: Task[] = []
  let elapsedMs = 0

  function take(): Task | undefined {
    for (;;) {
      if (tasks.length === 0) return undefined
      const task = choose(tasks)
      tasks.splice(tasks.indexOf(task), 1)
      if (!task.life.isOver) return task
    }
  }

  const scheduler: Scheduler = {
    get elapsedMs() {
      return elapsedMs
    },
    tasks,
    after(delayMs, life, label, run) {
      const task = { atMs: elapsedMs + delayMs, delayMs, tie: tieBreak(), life, label, run }
      tasks.push(task)
      return () => {
        const index = tasks.indexOf(task)
        if (index !== -1) tasks.splice(index, 1)
      }
    },
    pause: (delayMs, life, label) =>
      new Promise((resolve) => {
        scheduler.after(delayMs, life, label, resolve)
      }),
    async step() {
      const task = take()
      if (task === undefined) return undefined
      elapsedMs = Math.max(elapsedMs, task.atMs)
      onStep?.(task)
      await task.run()
      await settled()
      return task
    },
  }
  return scheduler
}

/** The one whose time comes first. There is one at least. */
export function earliest(tasks: readonly Task[]): Task {
  return tasks.reduce((first, task) =>
    task.atMs < first.atMs || (task.atMs === first.atMs && task.tie < first.tie) ? task : first,
  )
}

/**
 * Resolves when every promise has run as far as it can: Node's next tick comes when no promise is left to run. Nothing in a
 * simulation waits for the machine, so then all that is left are tasks. A turn of the event loop would take four times as
 * long.
 */
export function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve)
  })
}
