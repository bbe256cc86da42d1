// PIXm and PDQm: feeds a patient (ITI-104), asks for identifiers (83), searches (78), matches (119). Arguments: base, token.
import { refused, resources, say, signedIn, status } from "./peer.mjs";

const [base, token] = process.argv.slice(2);
const client = signedIn(base, token);
const HP = "urn:oid:1.2.156.10011.99.2";
const MAIN = "urn:oid:1.2.156.10011.99.1";
const CARD = "urn:oid:2.16.156.10011.1.3";

const patient = {
  resourceType: "Patient",
  identifier: [
    { system: HP, value: "HP-7" },
    { system: CARD, value: "11010519491231002X" },
  ],
  name: [{ family: "王", given: ["珅"] }],
  gender: "male",
  birthDate: "1949-12-31",
};

const feed = () =>
  client.update({ resourceType: "Patient", searchParams: { identifier: `${HP}|HP-7` }, body: patient });
say("fed", status(await feed()), status(await feed()));

const pix = (method, input) =>
  client.operation({ name: "$ihe-pix", resourceType: "Patient", method, input });
const identifiers = (answer) =>
  answer.parameter.filter((one) => one.valueIdentifier).map(({ valueIdentifier: one }) => `${one.system}|${one.value}`);

say("pix", identifiers(await pix("GET", { sourceIdentifier: `${HP}|HP-7`, targetSystem: MAIN })));
const parameter = [
  { name: "sourceIdentifier", valueString: `${HP}|HP-7` },
  { name: "targetSystem", valueUri: MAIN },
];
say("pix", identifiers(await pix("POST", { resourceType: "Parameters", parameter })));
await refused("pix", () => pix("GET", { sourceIdentifier: `${HP}|NOBODY` }));
await refused("pix", () => pix("GET", { sourceIdentifier: "urn:oid:1.2.3|HP-7" }));
await refused("pix", () => pix("GET", { sourceIdentifier: `${HP}|HP-7`, targetSystem: "urn:oid:1.2.3" }));

const criteria = { family: "王", given: "珅", birthdate: "1949-12-31" };
const found = await client.search({ resourceType: "Patient", searchParams: criteria });
say("searched", resources([found]).map((one) => one.name[0].text));

const matched = await client.operation({
  name: "match",
  resourceType: "Patient",
  input: {
    resourceType: "Parameters",
    parameter: [
      { name: "resource", resource: patient },
      { name: "onlyCertainMatches", valueBoolean: true },
    ],
  },
});
say("matched", matched.entry.map((one) => [one.resource.name[0].text, one.search.extension[0].valueCode]));
await refused("match", () =>
  client.operation({ name: "match", resourceType: "Patient", input: { resourceType: "Parameters" } }),
);
