// Writes a transaction, conditionally, against a version, and wrongly. Arguments: base, token, file of a transaction,
// file of an Encounter with its identifier.
import { readFileSync } from "node:fs";
import { header, refused, say, signedIn, status } from "./peer.mjs";

const [base, token, transaction, encounter] = process.argv.slice(2);
const client = signedIn(base, token);
const load = (path) => JSON.parse(readFileSync(path, "utf-8"));
const visit = load(encounter);
const known = `identifier=${encodeURIComponent(`${visit.identifier[0].system}|${visit.identifier[0].value}`)}`;

const done = await client.transaction({ body: load(transaction) });
say("transaction", done.type, done.entry.map((one) => one.response.status.slice(0, 3)));

const create = (headers) =>
  client.create({ resourceType: "Encounter", body: visit, options: { headers: { "if-none-exist": known, ...headers } } });
const created = await create();
const again = await create();
say("created", status(created), status(again));
await refused("created", () =>
  client.create({
    resourceType: "Encounter",
    body: { ...visit, period: { start: "2026-11-21T09:30:00+08:00" } },
  }),
);

const id = header(created, "location").split("/Encounter/")[1].split("/")[0];
const version = header(created, "etag");
const update = (status) =>
  client.update({
    resourceType: "Encounter",
    id,
    body: { ...visit, id, status },
    options: { headers: { "if-match": version } },
  });
const updated = await update("finished");
say("updated", status(updated), version, header(updated, "etag"));
await refused("stale", () => update("in-progress"));
await refused("invalid", () =>
  client.create({ resourceType: "Encounter", body: { ...visit, period: { start: "yesterday" } } }),
);
