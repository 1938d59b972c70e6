export { answer, type NodeAnswer } from './answer.ts'
export type { ServeOptions } from './begin.ts'
export { serve } from './serve.ts'
