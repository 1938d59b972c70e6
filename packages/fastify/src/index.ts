export { middleware } from './middleware.ts'
export { type PluginOptions, plugin } from './plugin.ts'
