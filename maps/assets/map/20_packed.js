/* Packed blocks (maps/packing.py): base64 of deflated varints. A block is read once and then forgotten. */

async function unpacked(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const body = new Uint8Array(await new Response(stream).arrayBuffer());
  const size = new DataView(body.buffer).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(body.subarray(4, 4 + size)));
  const block = { count: head.count, words: {} };
  let at = 4 + size;
  for (const column of head.columns) {
    block[column.name] = READERS[column.kind](body.subarray(at, at + column.bytes), column, head.count);
    if (column.words) block.words[column.name] = column.words;
    at += column.bytes;
  }
  return block;
}

/* The block in a script element; its text is given back to the browser. */
function blockOf(id) {
  const element = byId(id);
  const text = element.textContent;
  element.textContent = "";
  return unpacked(text);
}

/* Calls ``each(value, place)`` for every varint of a stream. Values up to 2^53. */
function readVarints(bytes, each) {
  let place = 0;
  let value = 0;
  let weight = 1;
  for (let i = 0; i < bytes.length; i += 1) {
    const byte = bytes[i];
    if (byte < 128) {
      each(value + byte * weight, place);
      place += 1;
      value = 0;
      weight = 1;
    } else {
      value += (byte - 128) * weight;
      weight *= 128;
    }
  }
  return place;
}

const signed = (value) => (value % 2 ? -(value + 1) / 2 : value / 2);

const READERS = {
  number(bytes, column, count) {
    const values = new Float64Array(count);
    const scale = 10 ** column.digits;
    readVarints(bytes, (value, i) => { values[i] = value === 0 ? NaN : signed(value - 1) / scale; });
    return values;
  },
  code(bytes, column, count) {
    const values = column.words.length < 256 ? new Uint8Array(count) : new Uint32Array(count);
    readVarints(bytes, (value, i) => { values[i] = value; });
    return values;
  },
  text(bytes) {
    return JSON.parse(new TextDecoder().decode(bytes));
  },
  count(bytes) {
    const values = [];
    readVarints(bytes, (value) => values.push(value));
    return Uint32Array.from(values);
  },
  /* Steps between corners, added up: x and y by turns, in world pixels. */
  step(bytes) {
    let count = 0;
    for (let i = 0; i < bytes.length; i += 1) if (bytes[i] < 128) count += 1;
    const values = new Int32Array(count);
    const sum = [0, 0];
    readVarints(bytes, (value, i) => {
      sum[i % 2] += signed(value);
      values[i] = sum[i % 2];
    });
    return values;
  },
};

/* Where the parts of each shape and the corners of each part begin; one more than there are. */
function shapesOf(block) {
  const begins = (counts) => {
    const starts = new Uint32Array(counts.length + 1);
    for (let i = 0; i < counts.length; i += 1) starts[i + 1] = starts[i] + counts[i];
    return starts;
  };
  return { count: block.count, parts: begins(block.parts), corners: begins(block.corners), xy: block.steps };
}
