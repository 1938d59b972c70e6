import { isObject, wrongMember } from '../members.ts'
import { customAsFunction } from './custom-tools.ts'

type Json = Readonly<Record<string, unknown>>

/** What the caller calls a tool. */
export interface ToolName {
  readonly name: string
  readonly namespace: string | undefined
  /** Whether it takes free text, where chat knows functions alone. */
  readonly isCustom: boolean
}

/** A tool that the model gets to see, as a function of chat. */
export interface OfferedTool extends ToolName {
  readonly function: Json & { readonly name: string }
}

/**
 * Tools that clients offer by default, whether anybody wants them or not: left out, and not in the answer's `tools` either. A
 * choice that names one is refused. Nothing has to be searched for, because every function is offered at once.
 */
const leftOut = /^(?:web_search|local_shell$|tool_search$)/

/** The longest name of a function in chat (openai-openapi, 2026-08-21). */
const nameMax = 64

/**
 * The tools of a request.
 *
 * @throws GatewayError `invalid_request` for a tool that only OpenAI can run.
 */
export function readTools(tools: unknown): readonly OfferedTool[] {
  if (tools == null) return []
  if (!Array.isArray(tools)) throw wrongMember('tools', '"tools" must be a list.')
  return tools.flatMap((tool, index) => readTool(tool, `tools.${index}`))
}

/** The caller's tools that the model gets to see, as they were sent. */
export function offeredTools(tools: unknown): readonly unknown[] {
  return Array.isArray(tools) ? tools.filter((tool) => !isLeftOut(tool)) : []
}

/** What the caller calls the tool that a model has called. A name that was not offered is the model's own. */
export function toolNames(tools: unknown): (calledName: string) => ToolName {
  let known: ReadonlyMap<string, ToolName> | undefined
  return (calledName) => {
    known ??= new Map(readTools(tools).map((tool) => [tool.function.name, tool]))
    return known.get(calledName) ?? { name: calledName, namespace: undefined, isCustom: false }
  }
}

/** Chat has no namespaces: a function that is in one has it in its name. */
export function chatName(name: string, namespace: unknown): string {
  if (typeof namespace !== 'string' || namespace === '') return name
  const full = namespace.endsWith('__') ? namespace + name : `${namespace}__${name}`
  return full.length > nameMax ? name : full
}

function readTool(tool: unknown, param: string): readonly OfferedTool[] {
  if (!isObject(tool)) throw wrongMember(param, `"${param}" must be an object.`)
  if (isLeftOut(tool)) return []
  if (tool['type'] !== 'namespace') return [offered(tool, param, undefined)]
  const { name, tools } = tool
  if (typeof name !== 'string' || name === '')
    throw wrongMember(`${param}.name`, `"${param}.name" must be the name of the tools.`)
  if (!Array.isArray(tools)) throw wrongMember(`${param}.tools`, `"${param}.tools" must be a list.`)
  return tools.map((each: unknown, index) => {
    const place = `${param}.tools.${index}`
    if (!isObject(each)) throw wrongMember(place, `"${place}" must be an object.`)
    return offered(each, place, name)
  })
}

function offered(tool: Json, param: string, namespace: string | undefined): OfferedTool {
  const { type, name, description, parameters, strict } = tool
  if (type !== 'function' && type !== 'custom') {
    throw wrongMember(
      param,
      `Tools of type ${JSON.stringify(type) ?? 'none'} are not run here. Offer a function, and run it yourself.`,
    )
  }
  if (typeof name !== 'string' || name === '')
    throw wrongMember(`${param}.name`, `"${param}.name" must be the name of a function.`)
  const named = { name: chatName(name, namespace) }
  if (type === 'custom')
    return { name, namespace, isCustom: true, function: { ...customAsFunction(tool), ...named } }
  const asked = {
    ...named,
    ...(description == null ? {} : { description }),
    ...(parameters == null ? {} : { parameters }),
    ...(strict == null ? {} : { strict }),
  }
  return { name, namespace, isCustom: false, function: asked }
}

function isLeftOut(tool: unknown): boolean {
  return isObject(tool) && typeof tool['type'] === 'string' && leftOut.test(tool['type'])
}
