import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect } from '../../../sdk/client/index.ts';

/** What a gateway says of a model whose signature has columns, as MLflow's data frames do. */
const metadata = {
  name: 'diabetes',
  inputs: [
    { name: 'age', datatype: 'FP64', shape: [-1] },
    { name: 'bmi', datatype: 'FP64', shape: [-1, 1] },
  ],
};
const asked: unknown[] = [];
const server = createServer((request, response) => {
  void text(request).then((body) => {
    if (request.method === 'POST') asked.push(JSON.parse(body));
    const outputs = [{ name: 'predict', datatype: 'FP64', shape: [2], data: [1, 2] }];
    const answer =
      request.method === 'POST'
        ? { model_name: 'diabetes', model_version: '1', parameters: { prediction_id: 'p' }, outputs }
        : request.url?.endsWith('/code') === true
          ? { name: 'code', inputs: [] }
          : metadata;
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  });
});
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

it('rows become the columns of a model that has one input for each', async () => {
  await connect({ url }).predict('diabetes', {
    rows: [
      [50, 0.1],
      [60, 0.2],
    ],
  });
  expect(asked).toEqual([
    {
      inputs: [
        { name: 'age', datatype: 'FP64', shape: [2], data: [50, 60] },
        { name: 'bmi', datatype: 'FP64', shape: [2, 1], data: [0.1, 0.2] },
      ],
    },
  ]);
});

it('a row of another length is refused with the names of the columns', async () => {
  await expect(connect({ url }).predict('diabetes', { rows: [[50]] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message: "deployment 'diabetes' takes rows of 2 columns (age, bmi), not of 1",
  });
});

it('rows for a deployment that code answers first are refused with what to give instead', async () => {
  await expect(connect({ url }).predict('code', { rows: [[50]] })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
    message:
      "deployment 'code' does not say what it takes, because code takes it first: give `inputs` with names instead of `rows`",
  });
});
