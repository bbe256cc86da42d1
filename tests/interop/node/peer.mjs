// What each of the scripts shares: the client, the lines that it says, and how an error is told.
import Client from "fhir-kit-client";

/** Return a client with a bearer token, if any, that states why it asks, if that is said. */
export const signedIn = (baseUrl, bearerToken, purpose) =>
  new Client({ baseUrl, bearerToken, customHeaders: purpose ? { "X-Purpose-Of-Use": purpose } : {} });

/** Say a line to the test: a JSON array. */
export const say = (...fields) => console.log(JSON.stringify(fields));

/** The status of an answer. */
export const status = (answer) => Client.httpFor(answer).response.status;

/** A header of an answer. */
export const header = (answer, name) => Client.httpFor(answer).response.headers.get(name);

/** Say which status and issue a request is refused with; that it is not refused, too. */
export async function refused(what, request) {
  try {
    say(what, status(await request()), "not refused");
  } catch (error) {
    if (!error.response) throw error;
    const outcome = error.response.data;
    say(what, error.response.status, outcome.resourceType, outcome.issue[0].code, outcome.issue[0].expression ?? []);
  }
}

/** Follow the next links; return the pages. */
export async function pages(client, first) {
  const all = [];
  for (let page = await first; page; page = await client.nextPage({ bundle: page })) all.push(page);
  return all;
}

/** The resources of pages. */
export const resources = (all) => all.flatMap((page) => (page.entry ?? []).map((entry) => entry.resource));
