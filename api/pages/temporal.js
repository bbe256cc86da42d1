const by = (id) => document.getElementById(id);
const codec = "/api/v1/temporal/codec";
by("address").textContent = `${location.origin}${codec}/default`;

async function post(path, headers, body) {
  const answer = await fetch(path, { method: "POST", headers, body });
  const content = await answer.json();
  if (!answer.ok) throw new Error(content.detail);
  return content;
}

by("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  const secret = JSON.stringify({ username: by("username").value, password: by("password").value });
  by("password").value = "";
  try {
    const token = await post("/api/v1/sign-in", { "Content-Type": "application/json" }, secret);
    const session = await post(`${codec}/session`, { Authorization: `Bearer ${token.access_token}` });
    by("address").textContent = `${location.origin}${codec}/${session.namespace}`;
    by("answer").textContent = `已登录 · Signed in for ${session.ui} (${session.expires_in / 60} min)`;
  } catch (error) {
    by("answer").textContent = error.message;
  }
});
