// Provides a bundle (ITI-65), finds its set (66) and document (67), retrieves (68). Arguments: base of MHD, token, id of the
// patient, file of the bundle, file of one that is wrong.
import { readFileSync } from "node:fs";
import { refused, resources, say, signedIn } from "./peer.mjs";

const [base, token, patient, right, wrong] = process.argv.slice(2);
const client = signedIn(base, token, "treatment");
const load = (path) => JSON.parse(readFileSync(path, "utf-8"));

await refused("provided", () => client.transaction({ body: load(wrong) }));
const done = await client.transaction({ body: load(right) });
say("provided", done.type, done.entry.map((one) => one.response.location.slice(base.length + 1).split("/")[0]));

const lists = await client.search({ resourceType: "List", searchParams: { patient, code: "submissionset" } });
say("sets", resources([lists]).map((one) => [one.title, one.entry.length]));

const found = await client.search({ resourceType: "DocumentReference", searchParams: { patient, status: "current" } });
const [document] = resources([found]);
say("documents", found.total, document.content[0].attachment.title);

const binary = await client.request(document.content[0].attachment.url);
say("binary", binary.contentType, Buffer.from(binary.data, "base64").toString("utf-8"));
await refused("unknown", () => client.read({ resourceType: "Binary", id: "00000000-0000-4000-8000-000000000000" }));
await refused("no patient", () => client.search({ resourceType: "List", searchParams: { code: "folder" } }));
