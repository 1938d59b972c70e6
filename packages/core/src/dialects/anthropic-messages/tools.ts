import { objectAt, refusal, textAt } from './refusal.ts'

/** What a model may call, and how it chooses, as members of a chat request. */
export interface ToolMembers {
  readonly tools?: readonly object[]
  readonly tool_choice?: unknown
  readonly parallel_tool_calls?: false
}

/**
 * The tools of a request. Those that Anthropic runs itself, or whose schema only its models know, are refused.
 *
 * @throws GatewayError `invalid_request`, naming the member at fault.
 */
export function toolMembers(tools: unknown, choice: unknown): ToolMembers {
  if (tools === undefined || tools === null) return {}
  if (!Array.isArray(tools)) throw refusal('tools', 'must be a list of tools.')
  // Without tools, providers refuse to hear how they are chosen.
  if (tools.length === 0) return {}
  const members = { tools: tools.map((tool, index) => functionOf(tool, `tools.${index}`)) }
  return choice === undefined || choice === null ? members : { ...members, ...choiceMembers(choice) }
}

function functionOf(value: unknown, path: string): object {
  const tool = objectAt(value, path)
  const { type, description, strict } = tool
  if (type !== undefined && type !== null && type !== 'custom') {
    throw refusal(
      `${path}.type`,
      `Tools of type ${JSON.stringify(type)} are Anthropic's own and not supported. Describe a tool by its "input_schema".`,
    )
  }
  return {
    type: 'function',
    function: {
      name: textAt(tool['name'], `${path}.name`),
      ...(description === undefined || description === null ? {} : { description }),
      parameters: objectAt(tool['input_schema'], `${path}.input_schema`),
      ...(typeof strict === 'boolean' ? { strict } : {}),
    },
  }
}

function choiceMembers(value: unknown): ToolMembers {
  const choice = objectAt(value, 'tool_choice')
  const members = { tool_choice: choiceOf(choice) }
  return choice['disable_parallel_tool_use'] === true ? { ...members, parallel_tool_calls: false } : members
}

function choiceOf(choice: Readonly<Record<string, unknown>>): unknown {
  switch (choice['type']) {
    case 'auto':
      return 'auto'
    case 'any':
      return 'required'
    case 'none':
      return 'none'
    case 'tool':
      return { type: 'function', function: { name: textAt(choice['name'], 'tool_choice.name') } }
    default:
      throw refusal('tool_choice.type', 'must be "auto", "any", "tool" or "none".')
  }
}
