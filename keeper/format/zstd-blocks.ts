/**
 * Blocks of zstd, checked for what the decoders judge differently: Node's accepts a match from beyond the window, longer
 * Huffman codes, and streams that end before or after their last code; restic's refuses them. What an attacker compressed
 * so would be verified here, and a prune could keep it instead of a blob that restic can read. Nothing is decompressed
 * here: of the literals only the lengths of their codes are followed.
 */
import { FormatError } from "./error";

const MAX_BLOCK = 128 << 10;
/** Longest Huffman code, in bits. */
const MAX_CODE = 11;
/** Greatest logarithm of an offset: those within the largest window that is accepted have at most this. */
const MAX_OFFSET_CODE = 23;
/** Least literals in four streams; restic writes fewer than 1,024 in one, and decoders differ about empty streams. */
const MIN_IN_FOUR = 256;

function fail(): never {
  throw new FormatError("its compressed data is damaged, or restic cannot read it");
}

/** Bits that can be read at once. */
const WORD = 25;

/** Bits of a stream that is read from its end. */
class Bits {
  /** How many are left; below zero: more were read than there are. */
  left: number;

  constructor(
    private readonly bytes: Buffer,
    private readonly start: number,
    end: number,
  ) {
    const last = end > start ? (bytes[end - 1] ?? 0) : 0;
    if (last === 0) fail();
    this.left = (end - 1 - start) * 8 + 31 - Math.clz32(last);
  }

  /** @param count at most {@link WORD} */
  read(count: number): number {
    this.left -= count;
    return this.left < 0 ? 0 : this.from(this.left) & ((1 << count) - 1);
  }

  /** The bits that come next; what is missing at the end is zero. */
  peek(count: number): number {
    const missing = count - this.left;
    return missing > 0
      ? (this.from(0) << missing) & ((1 << count) - 1)
      : this.from(this.left - count) & ((1 << count) - 1);
  }

  /** The {@link WORD} bits that stand from a place on, and perhaps more. */
  from(position: number): number {
    const { bytes } = this;
    const at = this.start + (position >> 3);
    const word =
      (bytes[at] ?? 0) |
      ((bytes[at + 1] ?? 0) << 8) |
      ((bytes[at + 2] ?? 0) << 16) |
      ((bytes[at + 3] ?? 0) << 24);
    return word >>> (position & 7);
  }
}

/** A decoding table of finite state entropy: by state its symbol, and how the next state is read. */
interface Table {
  readonly log: number;
  readonly symbols: Uint8Array;
  readonly bits: Uint8Array;
  readonly bases: Uint16Array;
}

/** The table of one symbol that is never written. */
const repeated = (symbol: number): Table => ({
  log: 0,
  symbols: Uint8Array.of(symbol),
  bases: new Uint16Array(1),
  bits: new Uint8Array(1),
});

/** @param counts how often each symbol has a state; -1: once, and least likely */
function tableOf(log: number, counts: readonly number[]): Table {
  const size = 1 << log;
  const symbols = new Uint8Array(size);
  let high = size;
  counts.forEach((count, symbol) => {
    if (count < 0) symbols[(high -= 1)] = symbol;
  });
  const step = (size >> 1) + (size >> 3) + 3;
  let at = 0;
  counts.forEach((count, symbol) => {
    for (let n = 0; n < count; n++) {
      symbols[at] = symbol;
      do at = (at + step) & (size - 1);
      while (at >= high);
    }
  });
  const next = counts.map(Math.abs);
  const bits = new Uint8Array(size);
  const bases = new Uint16Array(size);
  symbols.forEach((symbol, state) => {
    const turn = next[symbol] ?? 1;
    next[symbol] = turn + 1;
    const count = log - 31 + Math.clz32(turn);
    bits[state] = count;
    bases[state] = (turn << count) - size;
  });
  return { log, symbols, bits, bases };
}

/** Reads a table's description, from `at` on; where it ends. */
function readTable(
  bytes: Buffer,
  at: number,
  end: number,
  { maxLog, maxSymbol }: { readonly maxLog: number; readonly maxSymbol: number },
): { readonly table: Table; readonly end: number } {
  if (end - at < 4) fail();
  let position = 0;
  const peek = (count: number): number => {
    const from = at + (position >> 3);
    const word = (bytes[from] ?? 0) | ((bytes[from + 1] ?? 0) << 8) | ((bytes[from + 2] ?? 0) << 16);
    return (word >> (position & 7)) & ((1 << count) - 1);
  };
  const log = peek(4) + 5;
  position = 4;
  if (log > maxLog) fail();
  const counts: number[] = [];
  let left = 1 << log;
  while (left > 0 && counts.length <= maxSymbol) {
    // A value up to left + 1; of those the lowest take a bit less.
    const width = 32 - Math.clz32(left + 1);
    const half = 1 << (width - 1);
    const short = 2 * half - 2 - left;
    let value = peek(width);
    if ((value & (half - 1)) < short) {
      value &= half - 1;
      position += width - 1;
    } else {
      if (value >= half) value -= short;
      position += width;
    }
    counts.push(value - 1);
    left -= Math.abs(value - 1);
    for (let zeros = value === 1 ? 3 : 0; zeros === 3 && counts.length <= maxSymbol;) {
      zeros = peek(2);
      position += 2;
      for (let n = 0; n < zeros; n++) counts.push(0);
    }
  }
  const after = at + ((position + 7) >> 3);
  if (left !== 0 || counts.length < 2 || counts.length > maxSymbol + 1 || after > end) fail();
  return { table: tableOf(log, counts), end: after };
}

const WEIGHTS = { maxLog: 6, maxSymbol: 255 };
const MAX_WEIGHTS = 255;

/** The weights of a Huffman code, written with two states in turn. */
function unpackWeights(bytes: Buffer, start: number, end: number): number[] {
  const { table, end: at } = readTable(bytes, start, end, WEIGHTS);
  const stream = new Bits(bytes, at, end);
  const states = [stream.read(table.log), stream.read(table.log)];
  const weights: number[] = [];
  for (let turn = 0; weights.length < MAX_WEIGHTS; turn = 1 - turn) {
    const state = states[turn] ?? 0;
    const bits = table.bits[state] ?? 0;
    weights.push(table.symbols[state] ?? 0);
    if (stream.left === 0 && bits > 0) {
      weights.push(table.symbols[states[1 - turn] ?? 0] ?? 0);
      return weights;
    }
    states[turn] = (table.bases[state] ?? 0) + stream.read(bits);
    if (stream.left < 0) fail();
  }
  return fail();
}

/** A Huffman code, of which only the lengths matter: by the bits that come next, the length of the code they begin with. */
interface Code {
  readonly most: number;
  readonly lengths: Uint8Array;
}

/** Reads the code that begins a block's compressed literals, and where it ends. */
function readCode(literals: Buffer): { readonly code: Code; readonly end: number } {
  const header = literals.readUInt8(0);
  const direct = header >= 128;
  const end = 1 + (direct ? (header - 126) >> 1 : header);
  if (end > literals.length) fail();
  const weights = direct
    ? Array.from(
        { length: header - 127 },
        (_, n) => ((literals[1 + (n >> 1)] ?? 0) >> (n % 2 === 0 ? 4 : 0)) & 15,
      )
    : unpackWeights(literals, 1, end);
  const counts = Array<number>(MAX_CODE + 1).fill(0);
  let total = 0;
  for (const weight of weights) {
    if (weight > MAX_CODE) fail();
    counts[weight] = (counts[weight] ?? 0) + 1;
    total += (1 << weight) >> 1;
  }
  const most = 32 - Math.clz32(total);
  const rest = 2 ** most - total;
  // The last weight is not written: it is what is missing.
  const last = 32 - Math.clz32(rest);
  if (total === 0 || most > MAX_CODE || rest !== 1 << (last - 1)) fail();
  counts[last] = (counts[last] ?? 0) + 1;
  const lengths = new Uint8Array(1 << most);
  let at = 0;
  for (let weight = 1; weight <= most; weight++) {
    const next = at + (counts[weight] ?? 0) * (1 << (weight - 1));
    lengths.fill(most + 1 - weight, at, next);
    at = next;
  }
  return { code: { most, lengths }, end };
}

/** Checks that so many codes fill a stream, to its last bit. */
function checkStream(
  { most, lengths }: Code,
  bytes: Buffer,
  start: number,
  end: number,
  count: number,
): void {
  const stream = new Bits(bytes, start, end);
  const mask = (1 << most) - 1;
  let { left } = stream;
  let n = 0;
  // Far from the end a few codes are taken from one word.
  while (left >= WORD && n < count) {
    const word = stream.from(left - WORD);
    let rest = WORD;
    for (; rest >= most && n < count; n++) rest -= lengths[(word >>> (rest - most)) & mask] ?? 0;
    left -= WORD - rest;
  }
  for (stream.left = left; n < count && stream.left > 0; n++) stream.left -= lengths[stream.peek(most)] ?? 0;
  if (n < count || stream.left !== 0) fail();
}

/** Checks the streams of so many literals. */
function checkStreams(code: Code, bytes: Buffer, start: number, count: number, inFour: boolean): void {
  if (!inFour) {
    checkStream(code, bytes, start, bytes.length, count);
    return;
  }
  const each = (count + 3) >> 2;
  let at = start + 6;
  for (let n = 0; n < 4; n++) {
    const end = n < 3 ? at + bytes.readUInt16LE(start + 2 * n) : bytes.length;
    if (end > bytes.length) fail();
    checkStream(code, bytes, at, end, n < 3 ? each : count - 3 * each);
    at = end;
  }
}

/** Values that a code and extra bits give. */
interface Codes {
  readonly bits: Uint8Array;
  readonly bases: Uint32Array;
}

function codesOf(first: number, bits: readonly number[]): Codes {
  const bases = new Uint32Array(bits.length);
  bits.reduce((base, count, code) => {
    bases[code] = base;
    return base + 2 ** count;
  }, first);
  return { bits: Uint8Array.from(bits), bases };
}

const none = (count: number): number[] => Array<number>(count).fill(0);
const LITERALS = codesOf(0, [...none(16), 1, 1, 1, 1, 2, 2, 3, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
const MATCHES = codesOf(3, [
  ...none(32),
  1,
  1,
  1,
  1,
  2,
  2,
  3,
  3,
  4,
  4,
  5,
  7,
  8,
  9,
  10,
  11,
  12,
  13,
  14,
  15,
  16,
]);

/** The tables of a block's sequences, in the order in which they are written. */
const KINDS = [
  {
    maxLog: 9,
    maxSymbol: 35,
    usual: tableOf(6, [
      ...[4, 3, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 3, 2, 1, 1, 1, 1, 1],
      ...[-1, -1, -1, -1],
    ]),
  },
  {
    maxLog: 8,
    maxSymbol: 31,
    usual: tableOf(5, [
      ...[1, 1, 1, 1, 1, 1, 2, 2, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
      ...[-1, -1, -1, -1, -1],
    ]),
  },
  {
    maxLog: 9,
    maxSymbol: 52,
    usual: tableOf(6, [
      ...[1, 4, 3, 2, 2, 2, 2, 2, 2, ...Array<number>(37).fill(1)],
      ...[-1, -1, -1, -1, -1, -1, -1],
    ]),
  },
] as const;

/** The blocks of one frame, in their order. */
export class Blocks {
  private readonly maxBlock: number;
  /** Bytes that the blocks so far give. */
  private position = 0;
  private code: Code | undefined;
  private tables: (Table | undefined)[] = [];
  /** The offsets used last. */
  private readonly last: [number, number, number] = [1, 4, 8];

  /** @param window bytes that a match may reach back */
  constructor(private readonly window: number) {
    this.maxBlock = Math.min(window, MAX_BLOCK);
  }

  /** A block that gives so many bytes, by themselves or one repeated. */
  plain(length: number): void {
    this.position += length;
  }

  /** @throws FormatError if restic might not read this block */
  compressed(block: Buffer): void {
    const { literals, at } = this.literals(block);
    const before = this.position;
    const used = this.sequences(block, at, literals);
    this.position += literals - used;
    if (this.position - before > this.maxBlock) fail();
  }

  /** Checks the literals: how many there are, and where they end. */
  private literals(block: Buffer): { readonly literals: number; readonly at: number } {
    const first = block.readUInt8(0);
    const [kind, format] = [first & 3, (first >> 2) & 3];
    if (kind < 2) {
      const size = format === 3 ? 3 : format === 1 ? 2 : 1;
      const literals = block.readUIntLE(0, size) >> (size === 1 ? 3 : 4);
      return { literals, at: size + (kind === 0 ? literals : 1) };
    }
    const size = format < 2 ? 3 : format + 2;
    const unit = 2 ** (format < 2 ? 10 : format === 2 ? 14 : 18);
    const sizes = Math.floor(block.readUIntLE(0, size) / 16);
    const [literals, length] = [sizes % unit, Math.floor(sizes / unit)];
    const at = size + length;
    if (at > block.length || (format !== 0 && literals < MIN_IN_FOUR)) fail();
    const bytes = block.subarray(size, at);
    const { code, end } = kind === 2 ? readCode(bytes) : { code: this.code ?? fail(), end: 0 };
    this.code = code;
    checkStreams(code, bytes, end, literals, format !== 0);
    return { literals, at };
  }

  /** Follows the sequences; returns how many literals they use. */
  private sequences(block: Buffer, start: number, literals: number): number {
    let at = start;
    let count = block.readUInt8(at++);
    if (count === 255) {
      count = 0x7f00 + block.readUInt16LE(at);
      at += 2;
    } else if (count >= 128) count = ((count - 128) << 8) + block.readUInt8(at++);
    if (count === 0) return at === block.length ? 0 : fail();
    const modes = block.readUInt8(at++);
    if ((modes & 3) !== 0) fail();
    const [literalTable, offsetTable, matchTable] = KINDS.map(({ usual, ...kind }, number) => {
      const mode = (modes >> (6 - 2 * number)) & 3;
      if (mode === 3) return this.tables[number] ?? fail();
      if (mode === 0) return usual;
      if (mode === 1) {
        const symbol = block.readUInt8(at++);
        return symbol > kind.maxSymbol ? fail() : repeated(symbol);
      }
      const { table, end } = readTable(block, at, block.length, kind);
      at = end;
      return table;
    }) as [Table, Table, Table];
    this.tables = [literalTable, offsetTable, matchTable];

    const stream = new Bits(block, at, block.length);
    let literalState = stream.read(literalTable.log);
    let offsetState = stream.read(offsetTable.log);
    let matchState = stream.read(matchTable.log);
    let used = 0;
    while (count-- > 0) {
      const offsetCode = offsetTable.symbols[offsetState] ?? 0;
      const matchCode = matchTable.symbols[matchState] ?? 0;
      const literalCode = literalTable.symbols[literalState] ?? 0;
      if (offsetCode > MAX_OFFSET_CODE) fail();
      const offset = (1 << offsetCode) + stream.read(offsetCode);
      const match = (MATCHES.bases[matchCode] ?? 0) + stream.read(MATCHES.bits[matchCode] ?? 0);
      const copied = (LITERALS.bases[literalCode] ?? 0) + stream.read(LITERALS.bits[literalCode] ?? 0);
      used += copied;
      this.position += copied;
      const back = this.offset(offset, copied === 0);
      if (back < 1 || back > this.window || back > this.position) fail();
      this.position += match;
      if (count > 0) {
        literalState =
          (literalTable.bases[literalState] ?? 0) + stream.read(literalTable.bits[literalState] ?? 0);
        matchState = (matchTable.bases[matchState] ?? 0) + stream.read(matchTable.bits[matchState] ?? 0);
        offsetState = (offsetTable.bases[offsetState] ?? 0) + stream.read(offsetTable.bits[offsetState] ?? 0);
      }
      if (stream.left < 0 || used > literals) fail();
    }
    return stream.left === 0 ? used : fail();
  }

  /** What an offset means: the three lowest stand for those used last. */
  private offset(written: number, afterMatch: boolean): number {
    const { last } = this;
    const which = written > 3 ? 3 : written - (afterMatch ? 0 : 1);
    if (which === 0) return last[0];
    const offset = written > 3 ? written - 3 : which === 3 ? last[0] - 1 : last[which === 1 ? 1 : 2];
    if (which !== 1) last[2] = last[1];
    last[1] = last[0];
    last[0] = offset;
    return offset;
  }
}
