// What is asked, for the clients in JavaScript: the address and the options of a fetch.
const { BASE, TOKEN, QUESTION } = process.env;

export const url = `${BASE}/v1/widget/messages/stream`;
export const init = {
  method: "POST",
  headers: { Authorization: `Bearer ${TOKEN}`, "Content-Type": "application/json", Origin: BASE },
  body: JSON.stringify({ content: QUESTION }),
};
