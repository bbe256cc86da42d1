// Two tabs join a consultation over the plain page, as people do; a third and a fourth are refused.
// Arguments: Chromium, the API's origin, a consultation, its host, an account that is not booked, the password
// of both, the path of the patient's link. Each line said is [what, what was seen].
import puppeteer from "puppeteer-core";

const [chromium, origin, consultation, host, stranger, password, link] = process.argv.slice(2);
const PATIENCE = 60_000;
const FRAMES = 30; // decoded frames that make a growth
const say = (...line) => console.log(JSON.stringify(line));

const browser = await puppeteer.launch({
  executablePath: chromium,
  headless: true,
  protocolTimeout: 2 * PATIENCE,
  args: [
    "--no-sandbox", // the tests may run as root
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-timer-throttling",
    "--disable-backgrounding-occluded-windows",
    "--disable-renderer-backgrounding",
    "--no-proxy-server",
  ],
});

/* A tab of its own browser context: it shares no storage with the others. */
async function tab(path) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(String(error)));
  page.on("console", (line) => {
    if (/Content Security Policy|integrity/.test(line.text())) complaints.push(line.text());
  });
  await page.evaluateOnNewDocument(() => {
    window.peers = [];
    const Real = window.RTCPeerConnection;
    window.RTCPeerConnection = class extends Real {
      constructor(...given) {
        super(...given);
        window.peers.push(this);
      }
    };
  });
  await page.goto(origin + path);
  return { page, complaints };
}

async function signIn({ page }, username) {
  await page.waitForSelector("#sign-in:not([hidden])");
  await page.type("#username", username);
  await page.type("#password", password);
  await page.click("#sign-in button");
}

async function enter({ page }) {
  await page.waitForFunction(
    () => !document.querySelector("#devices").hidden && document.querySelectorAll("#camera option").length > 1,
  );
  await page.click("#devices button");
}

const shown = ({ page }, id) => page.waitForSelector(`#${id}:not([hidden])`);

/* Bytes received and frames decoded of video, over all connections. */
const received = ({ page }) =>
  page.evaluate(async () => {
    const sum = { bytes: 0, frames: 0 };
    for (const peer of window.peers) {
      for (const one of (await peer.getStats()).values()) {
        if (one.type !== "inbound-rtp" || one.kind !== "video") continue;
        sum.bytes += one.bytesReceived;
        sum.frames += one.framesDecoded || 0;
      }
    }
    return sum;
  });

async function until(what, ask) {
  const end = Date.now() + PATIENCE;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) throw new Error(`not within ${PATIENCE} ms: ${what}`);
    await new Promise((done) => setTimeout(done, 200));
  }
}

async function grows(name, one) {
  const before = await until(`${name} decodes`, async () => {
    const now = await received(one);
    return now.frames > 0 && now;
  });
  const after = await until(`${name} goes on decoding`, async () => {
    const now = await received(one);
    return now.frames >= before.frames + FRAMES && now.bytes > before.bytes && now;
  });
  say(name, { before, after });
}

const refused = (one) =>
  until("a refusal", () => one.page.$eval("#wrong", (wrong) => wrong.textContent));

try {
  const doctor = await tab(`/video#consultation=${consultation}`);
  await signIn(doctor, host);
  await enter(doctor);
  await shown(doctor, "room");
  say("host", "in the room");

  const patient = await tab(link);
  await enter(patient);
  await shown(patient, "lobby");
  say("patient", "waits");
  say("patient", { connections: await patient.page.evaluate(() => window.peers.length) });

  await doctor.page.waitForSelector("#waiting button");
  say("waiting room", await doctor.page.$eval("#waiting li", (row) => row.firstChild.textContent));
  await doctor.page.click("#waiting button");
  await shown(patient, "room");
  say("patient", "in the room");
  await Promise.all([grows("host receives", doctor), grows("patient receives", patient)]);

  const uninvited = await tab(`/video#consultation=${consultation}`);
  await signIn(uninvited, stranger);
  await enter(uninvited);
  say("stranger", await refused(uninvited));
  const forwarded = await tab(link);
  await enter(forwarded);
  say("forwarded link", await refused(forwarded));
  say("people in the room", await doctor.page.evaluate(() => document.querySelectorAll("#people figure").length));

  for (const one of [patient, doctor]) {
    await one.page.click("#room .leave");
    await shown(one, "over");
  }
  say("left", "both");
  say("complaints", [doctor, patient, uninvited, forwarded].flatMap((one) => one.complaints));
} finally {
  await browser.close();
}
