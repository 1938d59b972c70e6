import { isObject, wrongMember } from '../members.ts'
import { customAsFunction } from './custom-tools.ts'

type Json = Readonly<Record<string, unknown>>

interface ChatTool {
  readonly type: 'function'
  readonly function: Json
}

/**
 * Tools that clients offer by default, whether anybody wants them or not: left out, and not in the answer's `tools` either. A
 * choice that names one is refused.
 */
const leftOut = /^(?:web_search|local_shell$)/

/**
 * `tools`, `tool_choice` and `parallel_tool_calls` in chat's words.
 *
 * @throws GatewayError `invalid_request` for a tool that only OpenAI can run, and for a choice of none that is offered.
 */
export function chatTools({ tools, tool_choice: choice, parallel_tool_calls: parallel }: Json): Json {
  if (tools != null && !Array.isArray(tools)) throw wrongMember('tools', '"tools" must be a list.')
  const offered = (tools ?? []).flatMap((tool, index) => chatTool(tool, `tools.${index}`))
  const chosen = chatChoice(choice, offered)
  // Providers refuse a choice where there is nothing to choose from.
  if (chosen.tools.length === 0) return {}
  return {
    tools: chosen.tools,
    ...(chosen.choice === undefined ? {} : { tool_choice: chosen.choice }),
    ...(parallel == null ? {} : { parallel_tool_calls: parallel }),
  }
}

/** The caller's tools that the model gets to see. */
export function offeredTools(tools: unknown): readonly unknown[] {
  return Array.isArray(tools) ? tools.filter((tool) => !isLeftOut(tool)) : []
}

function chatTool(tool: unknown, param: string): readonly ChatTool[] {
  if (!isObject(tool)) throw wrongMember(param, `"${param}" must be an object.`)
  if (isLeftOut(tool)) return []
  const { type, name, description, parameters, strict } = tool
  if (type !== 'function' && type !== 'custom') {
    throw wrongMember(
      param,
      `Tools of type ${JSON.stringify(type) ?? 'none'} are not run here. Offer a function, and run it yourself.`,
    )
  }
  if (typeof name !== 'string' || name === '')
    throw wrongMember(`${param}.name`, `"${param}.name" must be the name of a function.`)
  if (type === 'custom') return [{ type: 'function', function: customAsFunction(tool) }]
  const asked = {
    name,
    ...(description == null ? {} : { description }),
    ...(parameters == null ? {} : { parameters }),
    ...(strict == null ? {} : { strict }),
  }
  return [{ type: 'function', function: asked }]
}

interface Choice {
  readonly tools: readonly ChatTool[]
  readonly choice: unknown
}

function chatChoice(choice: unknown, tools: readonly ChatTool[]): Choice {
  if (choice == null || choice === 'auto' || choice === 'none') return { tools, choice: choice ?? undefined }
  if (choice === 'required') {
    if (tools.length === 0)
      throw wrongMember('tool_choice', 'A tool is required by "tool_choice", but there is none.')
    return { tools, choice }
  }
  if (!isObject(choice))
    throw wrongMember('tool_choice', '"tool_choice" must be "auto", "none", "required" or an object.')
  if (choice['type'] === 'allowed_tools') return allowed(choice, tools)
  if (choice['type'] !== 'function' && choice['type'] !== 'custom')
    throw wrongMember(
      'tool_choice',
      `A choice of type ${JSON.stringify(choice['type']) ?? 'none'} is not supported.`,
    )
  const { name } = choice
  if (!tools.some((tool) => tool.function['name'] === name))
    throw wrongMember(
      'tool_choice',
      `"tool_choice" names ${JSON.stringify(name) ?? 'nothing'}, which is no tool.`,
    )
  return { tools, choice: { type: 'function', function: { name } } }
}

/** What is not allowed is not offered: most providers know no other way to say it. */
function allowed({ mode, tools: named }: Json, tools: readonly ChatTool[]): Choice {
  if (!Array.isArray(named))
    throw wrongMember('tool_choice.tools', '"tool_choice.tools" must be a list of tools that are allowed.')
  if (mode !== 'auto' && mode !== 'required')
    throw wrongMember('tool_choice.mode', '"tool_choice.mode" must be "auto" or "required".')
  const names = named.map((tool: unknown) => (isObject(tool) ? tool['name'] : undefined))
  const left = tools.filter((tool) => names.includes(tool.function['name']))
  if (left.length === 0 && (mode === 'required' || tools.length > 0))
    throw wrongMember('tool_choice.tools', 'No tool that "tool_choice" allows is among "tools".')
  return { tools: left, choice: mode }
}

function isLeftOut(tool: unknown): boolean {
  return isObject(tool) && typeof tool['type'] === 'string' && leftOut.test(tool['type'])
}
