"use strict";
/* The plain room: sign in or open a link, choose devices, wait, be in the room, leave. */
const POLL = 2000; // milliseconds between questions at the door
const at = (id) => document.getElementById(id);
const place = new URLSearchParams(location.hash.slice(1));
const state = { language: navigator.language.startsWith("zh") ? "zh" : "en", bearer: "", problem: null, said: "", room: null, people: {}, doorkeeper: false, turn: 0 };

const word = (name) => WORDS[state.language][name];

function show(...ids) {
  for (const id of ["sign-in", "devices", "lobby", "room", "over"]) at(id).hidden = !ids.includes(id);
}

function say(name) {
  state.said = name;
  at("said").textContent = name ? word(name) : "";
}

function complain(problem) {
  state.problem = problem;
  const known = problem && word(problem.code);
  at("wrong").textContent = problem ? known || problem.detail || word("no-server") : "";
}

function speak() {
  document.documentElement.lang = state.language === "zh" ? "zh-CN" : "en";
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  for (const one of document.querySelectorAll("[data-word-label]")) one.setAttribute("aria-label", word(one.dataset.wordLabel));
  at("language").textContent = state.language === "zh" ? "English" : "中文";
  at("language").lang = state.language === "zh" ? "en" : "zh-CN";
  say(state.said);
  complain(state.problem);
}

class Problem extends Error {
  constructor(code, detail) {
    super(detail);
    this.code = code;
    this.detail = detail;
  }
}

async function ask(method, path, body) {
  let answer;
  try {
    const headers = { "Content-Type": "application/json" };
    if (state.bearer) headers.Authorization = `Bearer ${state.bearer}`;
    answer = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
  } catch {
    throw new Problem("no-server");
  }
  const told = await answer.json();
  if (!answer.ok) throw new Problem((told.type || "").split(":").pop(), told.detail);
  return told;
}

/* A link opens in the browser that opened it first; this is how it is known again. */
function device() {
  const kept = localStorage.getItem("video-device");
  if (kept) return kept;
  const made = Array.from(crypto.getRandomValues(new Uint8Array(24)), (byte) => byte.toString(16).padStart(2, "0")).join("");
  localStorage.setItem("video-device", made);
  return made;
}

const join = () => {
  const invitation = place.get("invitation");
  if (invitation) return ask("POST", "/video/invited/join", { invitation, device: device() });
  return ask("POST", `/video/${encodeURIComponent(at("consultation").value.trim())}/join`);
};

async function signIn(event) {
  event.preventDefault();
  complain(null);
  try {
    const told = await ask("POST", "/sign-in", { username: at("username").value, password: at("password").value });
    state.bearer = told.access_token;
    at("password").value = "";
    if (state.room) show("room");
    else await chooseDevices();
  } catch (problem) {
    complain(problem);
  }
}

function fill(select, devices) {
  select.replaceChildren(...devices.map((one, n) => new Option(one.label || `${n + 1}`, one.deviceId)), new Option(word("none"), ""));
}

async function chooseDevices() {
  show("devices");
  if (!window.LivekitClient) return complain(new Problem("no-script"));
  try {
    await preview();
    const all = await navigator.mediaDevices.enumerateDevices();
    fill(at("camera"), all.filter((one) => one.kind === "videoinput"));
    fill(at("microphone"), all.filter((one) => one.kind === "audioinput"));
  } catch {
    fill(at("camera"), []);
    fill(at("microphone"), []);
    complain(new Problem("no-devices"));
  }
}

async function preview(deviceId) {
  stopPreview();
  if (deviceId === "") return;
  const wanted = deviceId ? { video: { deviceId: { exact: deviceId } } } : { video: true, audio: true };
  at("preview").srcObject = await navigator.mediaDevices.getUserMedia(wanted);
}

function stopPreview() {
  const stream = at("preview").srcObject;
  if (stream) for (const track of stream.getTracks()) track.stop();
  at("preview").srcObject = null;
}

async function enter(event) {
  event.preventDefault();
  const turn = ++state.turn;
  complain(null);
  stopPreview();
  try {
    say("connecting");
    let admission = await join();
    while (admission.standing === "wait" && turn === state.turn) {
      show("lobby");
      say("");
      await new Promise((done) => setTimeout(done, POLL));
      if (turn === state.turn) admission = await join();
    }
    if (turn === state.turn) await goIn(admission, turn);
  } catch (problem) {
    say("");
    if (turn !== state.turn) return;
    if (problem.code === "not-signed-in") state.bearer = "";
    show(place.get("invitation") || state.bearer ? "devices" : "sign-in");
    complain(problem instanceof Problem ? problem : new Problem("no-media"));
  }
}

async function goIn(admission, turn) {
  const { Room, RoomEvent } = LivekitClient;
  state.people = Object.fromEntries(admission.people.map((one) => [one.id, one.shown_as]));
  const room = new Room({ adaptiveStream: { pauseVideoInBackground: false }, dynacast: true });
  room.on(RoomEvent.TrackSubscribed, (track, _, who) => attach(track, who.identity));
  room.on(RoomEvent.TrackUnsubscribed, (track) => track.detach().forEach((element) => element.remove()));
  room.on(RoomEvent.ParticipantDisconnected, (who) => figure(who.identity).remove());
  room.on(RoomEvent.AudioPlaybackStatusChanged, () => (at("sound").hidden = room.canPlaybackAudio));
  room.on(RoomEvent.Reconnecting, () => say("reconnecting"));
  room.on(RoomEvent.Reconnected, () => say("inside"));
  room.on(RoomEvent.Disconnected, () => over(room));
  await room.connect(admission.url, admission.token);
  if (turn !== state.turn) return room.disconnect();
  state.room = room;
  state.doorkeeper = admission.keeps_door;
  show("room");
  say("inside");
  await publish(room, admission.you);
  if (state.doorkeeper) watchDoor(room);
}

async function publish(room, me) {
  const { Track } = LivekitClient;
  const camera = at("camera").value;
  const microphone = at("microphone").value;
  try {
    if (camera) await room.localParticipant.setCameraEnabled(true, { deviceId: camera });
    if (microphone) await room.localParticipant.setMicrophoneEnabled(true, { deviceId: microphone });
  } catch {
    complain(new Problem("no-devices"));
  }
  const own = room.localParticipant.getTrackPublication(Track.Source.Camera);
  if (own && own.track) attach(own.track, me, word("you"));
  press("mute", !microphone);
  press("blind", !camera);
}

/* One figure for each person; names are known here and not to the video server. */
function figure(identity, name) {
  const id = `person-${identity}`;
  if (at(id)) return at(id);
  const made = document.createElement("figure");
  made.id = id;
  const caption = document.createElement("figcaption");
  caption.textContent = name || state.people[identity] || word("unknown");
  made.append(caption);
  at("people").append(made);
  return made;
}

function attach(track, identity, name) {
  const element = track.attach();
  element.setAttribute("playsinline", "");
  element.setAttribute("aria-label", name || state.people[identity] || word("unknown"));
  figure(identity, name).prepend(element);
}

async function watchDoor(room) {
  while (state.room === room) {
    try {
      if (state.bearer) waiting((await ask("GET", `/video/${room.name}/waiting`)).items);
    } catch (problem) {
      complain(problem);
      if (problem.code === "not-signed-in") {
        state.bearer = "";
        show("room", "sign-in");
      }
    }
    await new Promise((done) => setTimeout(done, POLL));
  }
}

function waiting(people) {
  const list = at("waiting").querySelector("ul");
  const before = list.children.length;
  const rows = people.map((one) => {
    const row = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = word("letIn");
    button.dataset.participant = one.id;
    row.append(state.people[one.id] || word("unknown"), button);
    return row;
  });
  const shown = [...list.querySelectorAll("button")].map((one) => one.dataset.participant).join();
  if (shown === people.map((one) => one.id).join()) return; // the focus stays where it is
  list.replaceChildren(...rows);
  at("waiting").hidden = !people.length;
  if (people.length > before) say("someoneWaits");
  else if (!people.length) say("inside");
}

async function letIn(event) {
  const id = event.target.dataset.participant;
  if (!id) return;
  event.target.disabled = true;
  try {
    await ask("POST", `/video/${state.room.name}/participants/${id}/admit`);
  } catch (problem) {
    event.target.disabled = false;
    complain(problem);
  }
}

function press(id, off) {
  at(id).setAttribute("aria-pressed", String(off));
}

async function turnOff(id, off) {
  const me = state.room.localParticipant;
  try {
    if (id === "mute") await me.setMicrophoneEnabled(!off, { deviceId: at("microphone").value || undefined });
    else await me.setCameraEnabled(!off, { deviceId: at("camera").value || undefined });
    press(id, off);
  } catch {
    complain(new Problem("no-devices"));
  }
}

function leave() {
  state.turn++;
  if (state.room) state.room.disconnect();
  else over(null);
}

function over(room) {
  if (state.room !== room) return;
  state.room = null;
  at("people").replaceChildren();
  at("waiting").querySelector("ul").replaceChildren();
  at("waiting").hidden = true;
  say("");
  show("over");
}

function start() {
  speak();
  at("consultation").value = place.get("consultation") || "";
  at("language").addEventListener("click", () => {
    state.language = state.language === "zh" ? "en" : "zh";
    speak();
  });
  at("sign-in").addEventListener("submit", signIn);
  at("devices").addEventListener("submit", enter);
  at("camera").addEventListener("change", () => preview(at("camera").value).catch(() => complain(new Problem("no-devices"))));
  at("waiting").addEventListener("click", letIn);
  at("sound").addEventListener("click", () => state.room && state.room.startAudio());
  at("again").addEventListener("click", chooseDevices);
  for (const id of ["mute", "blind"]) at(id).addEventListener("click", () => turnOff(id, at(id).getAttribute("aria-pressed") !== "true"));
  for (const one of document.querySelectorAll(".leave")) one.addEventListener("click", leave);
  if (place.get("invitation")) chooseDevices();
  else show("sign-in");
}

start();
