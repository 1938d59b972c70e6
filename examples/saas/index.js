// What the servers beside this folder share: the product around the gateway. Replace it by your own, file by file.
export { createProduct } from './product.js'
export { serveUntilStopped, stopListening } from './running.js'
export { readSettings } from './settings.js'
