import { randomUUID } from 'node:crypto'

/** What is left, and a form to buy more. Its id makes a double click one purchase. */
export function creditPage({ purchased, spendable }) {
  const form = randomUUID()
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Credit</title>
<h1>Credit</h1>
<p>Bought: $${purchased}. To spend, with what the plan includes: $${spendable}.</p>
<form method="post" action="/credit">
  <input type="hidden" name="form" value="${form}">
  <button name="pack" value="small">$10.00</button>
  <button name="pack" value="large">$50.00</button>
</form>
<form method="post" action="/credit">
  <input type="hidden" name="form" value="${form}-amount">
  <label>Another amount: $<input name="amount" inputmode="decimal"></label>
  <button>Buy</button>
</form>
</html>
`
}
