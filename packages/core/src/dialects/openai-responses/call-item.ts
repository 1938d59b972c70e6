import { readInput } from './custom-tools.ts'
import type { OutputItem, Place } from './text-item.ts'

export interface CallItem extends OutputItem {
  readonly callId: string
  /** Its name, where it had none yet. */
  named(name: string): void
  /** A piece of its arguments. */
  write(args: string): void
}

/** A function that the model calls, or a custom tool, whose input is only known when its arguments are whole. */
export function callItem({ id, index, tell }: Place, callId: string, isCustom: boolean): CallItem {
  let name = ''
  let args = ''
  let isOpen = true
  const here = { item_id: id, output_index: index }
  const common = { id, call_id: callId }
  return {
    callId,
    named(given) {
      if (name === '') name = given
    },
    write(piece) {
      args += piece
      if (!isCustom && piece !== '') tell('response.function_call_arguments.delta', { ...here, delta: piece })
    },
    close() {
      if (!isOpen) return
      isOpen = false
      if (!isCustom) {
        tell('response.function_call_arguments.done', { ...here, name, arguments: args })
        return
      }
      const input = readInput(args)
      tell('response.custom_tool_call_input.delta', { ...here, delta: input })
      tell('response.custom_tool_call_input.done', { ...here, input })
    },
    show: (status) =>
      isCustom
        ? { ...common, type: 'custom_tool_call', status, name, input: isOpen ? '' : readInput(args) }
        : { ...common, type: 'function_call', status, name, arguments: args },
  }
}
