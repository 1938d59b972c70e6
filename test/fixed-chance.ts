import fc from 'fast-check'

// The usual run draws the same cases each time: when a test turns red, the change under test did it. Who wants others asks for
// a long search, by `FAREBOX_RUNS`.
if (process.env['FAREBOX_RUNS'] === undefined) fc.configureGlobal({ seed: 20_261_126 })
