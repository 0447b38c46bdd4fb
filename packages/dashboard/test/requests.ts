// Requests to a dashboard's server, sent exactly as they are written.
import { request } from "node:http";
import { connect } from "node:net";
import { expect } from "vitest";
import { type UnpackedTrace, unpackTrace } from "../src/data/traceMessage.js";

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

/** Sends a path exactly as it is written; fetch would tidy it up. */
export function ask(url: string, path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Answer> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { host, ...headers }, setHost: false, agent: false }, (response) => {
      const pieces: Buffer[] = [];
      response.on("data", (piece: Buffer) => pieces.push(piece));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(pieces) }));
    });
    sent.on("error", reject);
    sent.end();
  });
}

/** Sends bytes as they are. @returns the status of the answer; NaN where the connection ends without one */
export function statusOf(url: string, text: string): Promise<number> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect(Number(new URL(url).port), "127.0.0.1");
    socket.setEncoding("latin1").on("data", (piece: string) => {
      answer += piece;
      if (answer.includes("\r\n")) socket.destroy();
    });
    socket.on("error", () => undefined).on("close", () => resolve(Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? Number.NaN)));
    socket.write(text);
  });
}

/** A memory file as pages are sent it first. */
export async function trace(url: string, path: string): Promise<UnpackedTrace> {
  const { status, body } = await ask(url, path);
  expect(status, path).toBe(200);
  return unpackTrace(body.buffer.slice(body.byteOffset, body.byteOffset + body.length) as ArrayBuffer);
}

export async function json<T>(url: string, path: string): Promise<T> {
  const { status, body } = await ask(url, path);
  expect(status, path).toBe(200);
  return JSON.parse(body.toString()) as T;
}
