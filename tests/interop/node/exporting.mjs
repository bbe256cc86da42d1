// Kicks off an export and asks until its manifest is there. Arguments: base, token of who may, token of who may not.
import { setTimeout as pause } from "node:timers/promises";
import { header, refused, say, signedIn, status } from "./peer.mjs";

const [base, token, other] = process.argv.slice(2);
const client = signedIn(base, token);
const kickOff = { options: { headers: { prefer: "respond-async" } } };

const begun = await client.request("Patient/$export?_type=Patient", kickOff);
const where = header(begun, "content-location");
say("begun", status(begun), where.startsWith(base));
let asked = await client.request(where);
while (status(asked) === 202) {
  await pause(200);
  asked = await client.request(where);
}
say("ended", status(asked), asked.output.map((one) => [one.type, one.count]));
say("removed", status(await client.request(where, { method: "DELETE" })));
await refused("gone", () => client.request(where));
await refused("not permitted", () => signedIn(base, other).request("Patient/$export", kickOff));
