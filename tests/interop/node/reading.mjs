// Reads, searches, pages, follows references, asks for everything. Arguments: base, token, id of a patient.
import { header, pages, refused, resources, say, signedIn, status } from "./peer.mjs";

const [base, token, patient] = process.argv.slice(2);
const client = signedIn(base, token);

const capabilities = await client.capabilityStatement();
say("capabilities", capabilities.resourceType, capabilities.fhirVersion);

const person = await client.read({ resourceType: "Patient", id: patient });
say("read", status(person), person.name[0].text);

const observed = await pages(
  client,
  client.search({ resourceType: "Observation", searchParams: { patient, _count: 2 } }),
);
const observations = resources(observed);
say(
  "paged",
  observed.map((page) => page.entry.length),
  new Set(observations.map((one) => one.id)).size,
);

const subject = await client.resolve({ reference: observations[0].subject.reference, context: observed[0] });
say("resolved", subject.resourceType, subject.id === patient);

const posted = await client.search({
  resourceType: "Observation",
  searchParams: { patient, code: "http://loinc.org|2823-3" },
  options: { postSearch: true },
});
say("posted", posted.total, posted.entry[0].resource.code.coding[0].display);

const along = await client.search({
  resourceType: "Encounter",
  searchParams: { patient, _revinclude: "DiagnosticReport:encounter" },
});
say("along", along.entry.map((one) => `${one.resource.resourceType} ${one.search.mode}`));

const all = await pages(
  client,
  client.operation({ name: "everything", resourceType: "Patient", id: patient, method: "GET", input: { _count: 7 } }),
);
const counts = {};
for (const { resourceType } of resources(all)) counts[resourceType] = (counts[resourceType] ?? 0) + 1;
say("everything", all.length, counts, new Set(resources(all).map((one) => `${one.resourceType}/${one.id}`)).size);

const visit = resources([along]).find((one) => one.resourceType === "Encounter");
const versions = await client.history({ resourceType: "Encounter", id: visit.id });
const version = versions.entry[0].resource.meta.versionId;
const versioned = await client.vread({ resourceType: "Encounter", id: visit.id, version });
say("versions", versions.type, header(versioned, "etag") === `W/"${version}"`);

const nothing = "00000000-0000-4000-8000-000000000000";
await refused("unknown", () => client.read({ resourceType: "Observation", id: nothing }));
await refused("wrong value", () =>
  client.search({ resourceType: "Observation", searchParams: { patient, date: "yesterday" } }),
);
await refused("strict", () =>
  client.search({
    resourceType: "Observation",
    searchParams: { patient, colour: "red" },
    options: { headers: { prefer: "handling=strict" } },
  }),
);
await refused("nobody", () => signedIn(base).read({ resourceType: "Patient", id: patient }));
