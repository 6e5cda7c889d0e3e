// Reads one answer with npm's eventsource-parser: prints its events, [[name, data], …].
import { EventSourceParserStream } from "eventsource-parser/stream";
import { init, url } from "./question.mjs";

const response = await fetch(url, init);
const stream = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
const events = [];
for await (const { event, data } of stream) events.push([event ?? "message", data]);
console.log(JSON.stringify(events));
