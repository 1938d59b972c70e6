import { isObject, wrongMember } from '../members.ts'
import { type OfferedTool, readTools } from './tools.ts'

type Json = Readonly<Record<string, unknown>>

/**
 * `tools`, `tool_choice` and `parallel_tool_calls` in chat's words.
 *
 * @throws GatewayError `invalid_request` for a tool that only OpenAI can run, and for a choice of none that is offered.
 */
export function chatTools({ tools, tool_choice: asked, parallel_tool_calls: parallel }: Json): Json {
  const { chosen, choice } = readChoice(asked, readTools(tools))
  // Providers refuse a choice where there is nothing to choose from.
  if (chosen.length === 0) return {}
  return {
    tools: chosen.map((tool) => ({ type: 'function', function: tool.function })),
    ...(choice === undefined ? {} : { tool_choice: choice }),
    ...(parallel == null ? {} : { parallel_tool_calls: parallel }),
  }
}

interface Choice {
  readonly chosen: readonly OfferedTool[]
  readonly choice: unknown
}

function readChoice(choice: unknown, tools: readonly OfferedTool[]): Choice {
  if (choice == null || choice === 'auto' || choice === 'none')
    return { chosen: tools, choice: choice ?? undefined }
  if (choice === 'required') {
    if (tools.length === 0)
      throw wrongMember('tool_choice', 'A tool is required by "tool_choice", but there is none.')
    return { chosen: tools, choice }
  }
  if (!isObject(choice))
    throw wrongMember('tool_choice', '"tool_choice" must be "auto", "none", "required" or an object.')
  const { type } = choice
  if (type === 'allowed_tools') return allowed(choice, tools)
  if (type !== 'function' && type !== 'custom') {
    throw wrongMember(
      'tool_choice',
      `A choice of type ${JSON.stringify(type) ?? 'none'} is not supported. Name a function, or say "auto".`,
    )
  }
  const tool = tools.find((candidate) => isNamed(candidate, choice))
  if (tool === undefined) {
    const name = JSON.stringify(choice['name']) ?? 'nothing'
    throw wrongMember('tool_choice', `"tool_choice" names ${name}, which is not among "tools".`)
  }
  return { chosen: tools, choice: { type: 'function', function: { name: tool.function.name } } }
}

/** What is not allowed is not offered: most providers know no other way to say it. */
function allowed({ mode, tools: named }: Json, tools: readonly OfferedTool[]): Choice {
  if (!Array.isArray(named))
    throw wrongMember('tool_choice.tools', '"tool_choice.tools" must be a list of tools that are allowed.')
  if (mode !== 'auto' && mode !== 'required')
    throw wrongMember('tool_choice.mode', '"tool_choice.mode" must be "auto" or "required".')
  const chosen = tools.filter((tool) =>
    named.some((choice: unknown) => isObject(choice) && isNamed(tool, choice)),
  )
  if (chosen.length === 0 && (mode === 'required' || tools.length > 0))
    throw wrongMember('tool_choice.tools', 'No tool that "tool_choice" allows is among "tools".')
  return { chosen, choice: mode }
}

function isNamed(tool: OfferedTool, { name, namespace }: Json): boolean {
  return tool.name === name && (namespace ?? undefined) === tool.namespace
}
