import { readInput } from './custom-tools.ts'
import type { OutputItem, Place } from './text-item.ts'
import type { ToolName } from './tools.ts'

export interface CallItem extends OutputItem {
  readonly callId: string
  /** A piece of its arguments. */
  write(args: string): void
}

/** A function that the model calls, or a custom tool, whose input is only known when its arguments are whole. */
export function callItem({ id, index, tell }: Place, callId: string, tool: ToolName): CallItem {
  const { name, namespace, isCustom } = tool
  let args = ''
  let isOpen = true
  const here = { item_id: id, output_index: index }
  const named = namespace === undefined ? { name } : { name, namespace }
  return {
    callId,
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
        ? {
            id,
            type: 'custom_tool_call',
            status,
            call_id: callId,
            ...named,
            input: isOpen ? '' : readInput(args),
          }
        : { id, type: 'function_call', status, call_id: callId, ...named, arguments: args },
  }
}
