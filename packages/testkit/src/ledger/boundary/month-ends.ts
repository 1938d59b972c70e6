/** Two periods that follow each other, written out, so that nothing here is computed as the ledger computes it. */
export interface MonthEnd {
  readonly anchorDay: number | null
  /** The days on which the first period begins, the second one begins, and the second one ends. */
  readonly days: readonly [first: string, second: string, end: string]
  readonly keys: readonly [first: string, second: string]
}

function calendar(first: string, second: string, end: string): MonthEnd {
  return { anchorDay: null, days: [`${first}-01`, `${second}-01`, `${end}-01`], keys: [first, second] }
}

function anchored(anchorDay: number, ...days: [first: string, second: string, end: string]): MonthEnd {
  return { anchorDay, days, keys: [days[0], days[1]] }
}

/** Ends in or after a month of 28, 29, 30 and 31 days, for calendar months and for anchors that not every month has. */
export const monthEnds: readonly MonthEnd[] = [
  calendar('2027-02', '2027-03', '2027-04'),
  anchored(29, '2027-01-29', '2027-02-28', '2027-03-29'),
  anchored(30, '2027-01-30', '2027-02-28', '2027-03-30'),
  anchored(31, '2027-01-31', '2027-02-28', '2027-03-31'),

  calendar('2028-02', '2028-03', '2028-04'),
  anchored(29, '2028-01-29', '2028-02-29', '2028-03-29'),
  anchored(30, '2028-01-30', '2028-02-29', '2028-03-30'),
  anchored(31, '2028-01-31', '2028-02-29', '2028-03-31'),

  calendar('2027-04', '2027-05', '2027-06'),
  anchored(29, '2027-03-29', '2027-04-29', '2027-05-29'),
  anchored(30, '2027-03-30', '2027-04-30', '2027-05-30'),
  anchored(31, '2027-03-31', '2027-04-30', '2027-05-31'),

  calendar('2027-12', '2028-01', '2028-02'),
  anchored(29, '2027-11-29', '2027-12-29', '2028-01-29'),
  anchored(30, '2027-11-30', '2027-12-30', '2028-01-30'),
  anchored(31, '2027-11-30', '2027-12-31', '2028-01-31'),
]
