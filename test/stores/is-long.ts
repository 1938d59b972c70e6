/**
 * Whether the tests of the stores run at full length (`npm run soak:stores`): a hundred thousand accounts, five seconds to the
 * store, ten minutes of load.
 */
export const isLong: boolean = process.env['FAREBOX_LONG'] === '1'
