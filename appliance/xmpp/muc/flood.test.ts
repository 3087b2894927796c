import { expect, test } from "bun:test";
import { FLOOD_RATES, MAX_PRESENCE } from "./flood.ts";
import { brief, codes, fault, House } from "./house.ts";

const ANA = "7c1e22d0";

function meeting() {
  const house = new House();
  const { room, focus } = house.meeting("standup");
  const ana = house.guest(ANA);
  ana.join(room, ANA);
  ana.take();
  focus.take();
  return { house, room, focus, ana };
}

test("presence beyond the budget is told late, the latest state only", () => {
  const { house, room, focus, ana } = meeting();
  for (let step = 1; step <= 100; step++) ana.send(`<presence to="${room}/${ANA}"><s>${step}</s></presence>`);
  const told = () => focus.take().map((each) => each.getChildText("s"));
  const { burst, perSecond } = FLOOD_RATES.presence;
  expect(told()).toEqual(Array.from({ length: burst }, (_, index) => String(index + 1)));
  house.wait(1_000 / perSecond);
  expect(told()).toEqual(["100"]);
  house.wait(60_000);
  expect(told()).toEqual([]);
  expect(ana.take().at(-1)?.getChildText("s")).toBe("100");
});

test("whoever leaves with a presence outstanding is not told of again", () => {
  const { house, room, focus, ana } = meeting();
  for (let step = 1; step <= 30; step++) ana.send(`<presence to="${room}/${ANA}"/>`);
  ana.leave(room, ANA);
  focus.take();
  house.wait(60_000);
  expect(focus.take()).toEqual([]);
});

test("joins and groupchat beyond the budget are refused, others are served", () => {
  const { house, room, ana } = meeting();
  const chat = () => fault(ana.send(`<message type="groupchat" to="${room}" id="m"><body>x</body></message>`)[0]);
  for (let count = 0; count < FLOOD_RATES.groupchat.burst; count++) expect(chat()).toBeUndefined();
  expect(chat()).toBe("wait/policy-violation");
  house.wait(1_000);
  expect(chat()).toBeUndefined();
  let refused = 0;
  for (let count = 0; count < 50; count++) {
    ana.leave(room, ANA);
    ana.take();
    if (fault(ana.join(room, ANA)[0]) === "wait/policy-violation") refused++;
    ana.take();
  }
  expect(refused).toBeGreaterThan(50 - FLOOD_RATES.joins.burst - 1);
  const ben = house.guest("b04f9a61");
  expect(ben.join(room, "b04f9a61").some((each) => codes(each).includes(110))).toBe(true);
  house.wait(1_000);
  expect(ana.join(room, ANA).some((each) => codes(each).includes(110))).toBe(true);
});

test("an oversized presence of a guest is refused, a service's is not", () => {
  const { house, room, focus, ana } = meeting();
  const big = `<s>${"x".repeat(MAX_PRESENCE)}</s>`;
  expect(fault(ana.send(`<presence to="${room}/${ANA}">${big}</presence>`)[0])).toBe("modify/policy-violation");
  expect(fault(house.guest("b04f9a61").join(room, "b04f9a61", "", big)[0])).toBe("modify/policy-violation");
  expect(focus.send(`<presence to="${room}/focus">${big}</presence>`).map(brief).at(-1)).toBe(
    `presence ${room}/focus 110`,
  );
});
