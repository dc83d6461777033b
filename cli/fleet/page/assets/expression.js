// Conditions in the language of expr-lang.org, as far as they select devices: literals, members, arithmetic, comparisons, in,
// contains, startsWith, endsWith, matches, and/or/not, ?:, ??, and a few functions. What is not known is an error and never a guess.

const TOKEN = /\s*(?:(\d[\d_]*(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)|("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)|([A-Za-z_$][\w$]*)|(\*\*|\?\.|\?\?|&&|\|\||==|!=|<=|>=|\.\.|[-+*/%^<>!?:.,()[\]]))/y;
const LONGEST = 4096;
const DEEPEST = 64;

// How tightly operators bind; ** binds to the right.
const BINDS = {
  "or": 10, "||": 10, "and": 15, "&&": 15,
  "==": 20, "!=": 20, "<": 20, ">": 20, "<=": 20, ">=": 20, "in": 20, "contains": 20, "startsWith": 20, "endsWith": 20, "matches": 20,
  "..": 25, "+": 30, "-": 30, "*": 60, "/": 60, "%": 60, "**": 100, "^": 100, "??": 500,
};
const UNARY = { "not": 50, "!": 50, "-": 90, "+": 90 };

const FUNCTIONS = {
  len: (v) => (typeof v === "string" ? [...v].length : Array.isArray(v) ? v.length : Object.keys(object(v)).length),
  lower: (s) => text(s).toLowerCase(), upper: (s) => text(s).toUpperCase(), trim: (s) => text(s).trim(),
  hasPrefix: (s, p) => text(s).startsWith(text(p)), hasSuffix: (s, p) => text(s).endsWith(text(p)),
  abs: (n) => Math.abs(number(n)), floor: (n) => Math.floor(number(n)), ceil: (n) => Math.ceil(number(n)), round: (n) => Math.round(number(n)),
  int: (v) => Math.trunc(finite(Number(v))), float: (v) => finite(Number(v)), string: (v) => String(v),
  min: (...n) => Math.min(...n.map(number)), max: (...n) => Math.max(...n.map(number)), keys: (v) => Object.keys(object(v)),
};

/** Whether the expression selects what env describes. An empty one selects everything. */
export function matches(expression, env) {
  if (expression.trim() === "") return true;
  const value = new Parser(expression).whole()(env);
  if (typeof value !== "boolean") throw new Error("the expression is no condition");
  return value;
}

class Parser {
  constructor(source) {
    if (source.length > LONGEST) throw new Error("the expression is too long");
    this.tokens = [];
    this.depth = 0;
    this.at = 0;
    TOKEN.lastIndex = 0;
    for (let end = source.trimEnd().length; TOKEN.lastIndex < end;) {
      const from = TOKEN.lastIndex;
      const m = TOKEN.exec(source);
      if (!m) throw new Error(`the expression cannot be read at character ${from + 1}`);
      this.tokens.push({ number: m[1], string: m[2], name: m[3], sign: m[4], text: m[1] ?? m[2] ?? m[3] ?? m[4] });
    }
  }

  get next() {
    return this.tokens[this.at];
  }

  /** Takes the token if it is this operator or word. */
  take(text) {
    if (this.next === undefined || this.next.string !== undefined || this.next.text !== text) return false;
    this.at++;
    return true;
  }

  need(text) {
    if (!this.take(text)) throw new Error(`${text} is missing before ${this.next?.text ?? "the end"}`);
  }

  whole() {
    const run = this.ternary();
    if (this.next) throw new Error(`${this.next.text} is not understood here`);
    return run;
  }

  ternary() {
    if (++this.depth > DEEPEST) throw new Error("the expression is too deep");
    const test = this.binary(0);
    let run = test;
    if (this.take("?")) {
      const yes = this.ternary();
      this.need(":");
      const no = this.ternary();
      run = (env) => (bool(test(env)) ? yes(env) : no(env));
    }
    this.depth--;
    return run;
  }

  binary(least) {
    let left = this.unary();
    for (;;) {
      const negated = this.next?.text === "not" && BINDS[this.tokens[this.at + 1]?.name] === 20;
      const op = this.tokens[this.at + (negated ? 1 : 0)];
      const binds = op === undefined || op.string !== undefined ? undefined : Object.hasOwn(BINDS, op.text) ? BINDS[op.text] : undefined;
      if (binds === undefined || binds < least) return left;
      this.at += negated ? 2 : 1;
      const right = this.binary(op.text === "**" || op.text === "^" ? binds : binds + 1);
      const apply = operation(op.text, left, right);
      left = negated ? (env) => !apply(env) : apply;
    }
  }

  unary() {
    const word = this.next?.string === undefined ? this.next?.text : undefined;
    if (word === undefined || !Object.hasOwn(UNARY, word)) return this.postfix(this.primary());
    this.at++;
    if (++this.depth > DEEPEST) throw new Error("the expression is too deep");
    const of = this.binary(UNARY[word]);
    this.depth--;
    if (word === "-") return (env) => -number(of(env));
    if (word === "+") return (env) => number(of(env));
    return (env) => !bool(of(env));
  }

  primary() {
    const t = this.next;
    if (t === undefined) throw new Error("the expression ends too early");
    this.at++;
    if (t.number !== undefined) {
      const value = Number(t.number.replaceAll("_", ""));
      return () => value;
    }
    if (t.string !== undefined) {
      const value = unquoted(t.string);
      return () => value;
    }
    if (t.text === "(") {
      const run = this.ternary();
      this.need(")");
      return run;
    }
    if (t.text === "[") {
      const items = this.list("]");
      return (env) => items.map((i) => i(env));
    }
    if (t.name !== undefined) return this.name(t.name);
    throw new Error(`${t.text} is not understood here`);
  }

  name(name) {
    const constants = { true: true, false: false, nil: null };
    if (Object.hasOwn(constants, name)) return () => constants[name];
    if (this.take("(")) {
      if (!Object.hasOwn(FUNCTIONS, name)) throw new Error(`function ${name} is not known to a browser`);
      const args = this.list(")");
      return (env) => FUNCTIONS[name](...args.map((a) => a(env)));
    }
    return (env) => {
      if (name === "$env") return env;
      // A text that may be missing is empty, as on other devices.
      if (name === "trouble") return env.trouble ?? "";
      if (!Object.hasOwn(env, name)) throw new Error(`${name} is not known of a browser`);
      return env[name];
    };
  }

  list(end) {
    const items = [];
    while (!this.take(end)) {
      if (items.length > 0) this.need(",");
      items.push(this.ternary());
    }
    return items;
  }

  postfix(of) {
    for (;;) {
      const before = of;
      if (this.take(".") || this.take("?.")) {
        const name = this.next?.name;
        if (name === undefined) throw new Error("a name is missing after the full stop");
        this.at++;
        of = (env) => member(before(env), name);
      } else if (this.take("[")) {
        const key = this.ternary();
        this.need("]");
        of = (env) => member(before(env), key(env));
      } else {
        return of;
      }
    }
  }
}

function operation(op, left, right) {
  const both = (f) => (env) => f(left(env), right(env));
  const numbers = (f) => both((a, b) => f(number(a), number(b)));
  const texts = (f) => both((a, b) => f(text(a), text(b)));
  switch (op) {
    case "or": case "||": return (env) => bool(left(env)) || bool(right(env));
    case "and": case "&&": return (env) => bool(left(env)) && bool(right(env));
    case "??": return (env) => left(env) ?? right(env);
    case "==": return both(same);
    case "!=": return both((a, b) => !same(a, b));
    case "<": return both((a, b) => order(a, b) < 0);
    case ">": return both((a, b) => order(a, b) > 0);
    case "<=": return both((a, b) => order(a, b) <= 0);
    case ">=": return both((a, b) => order(a, b) >= 0);
    case "in": return both((a, b) => (Array.isArray(b) ? b.some((x) => same(a, x)) : Object.hasOwn(object(b), text(a))));
    case "contains": return texts((a, b) => a.includes(b));
    case "startsWith": return texts((a, b) => a.startsWith(b));
    case "endsWith": return texts((a, b) => a.endsWith(b));
    case "matches": return texts((a, b) => pattern(b).test(a));
    case "+": return both((a, b) => (typeof a === "string" ? a + text(b) : number(a) + number(b)));
    case "-": return numbers((a, b) => a - b);
    case "*": return numbers((a, b) => a * b);
    case "/": return numbers((a, b) => a / b);
    case "%": return numbers((a, b) => a % b);
    case "..": return numbers((a, b) => {
      if (b - a > 10000) throw new Error("the range is too long");
      return Array.from({ length: Math.max(0, b - a + 1) }, (_, i) => a + i);
    });
    default: return numbers((a, b) => a ** b);
  }
}

/** Patterns of other devices take time in proportion to the text; here only those that cannot take for ever are run. */
function pattern(source) {
  const plain = source.replace(/^\(\?i\)/, "");
  if (plain.length > 200 || /\)[*+{?]/.test(plain) || (plain.match(/[*+{]/g) ?? []).length > 3) {
    throw new Error("the pattern is too complex for a browser");
  }
  return new RegExp(plain, plain === source ? "u" : "iu");
}

/** A member; labels that are not there are empty texts, as on other devices. */
function member(of, key) {
  if (of === null || of === undefined) return null;
  if (Array.isArray(of)) return of.at(number(key)) ?? null;
  return Object.hasOwn(object(of), key) ? of[key] : "";
}

function same(a, b) {
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return a === b;
  return JSON.stringify(a) === JSON.stringify(b);
}

function order(a, b) {
  if (typeof a === "string") return a < text(b) ? -1 : a > b ? 1 : 0;
  return number(a) - number(b);
}

function unquoted(literal) {
  const inner = literal.slice(1, -1);
  if (literal[0] === "`") return inner;
  const known = { n: "\n", t: "\t", r: "\r" };
  return inner.replace(/\\(u[0-9a-fA-F]{4}|.)/gs, (_, c) => (c.length === 5 ? String.fromCharCode(parseInt(c.slice(1), 16)) : known[c] ?? c));
}

function need(ok, v, what) {
  if (!ok) throw new Error(`${JSON.stringify(v) ?? "nothing"} is no ${what}`);
  return v;
}

const number = (v) => need(typeof v === "number", v, "number");
const finite = (v) => need(Number.isFinite(v), v, "number");
const text = (v) => need(typeof v === "string", v, "text");
const bool = (v) => need(typeof v === "boolean", v, "condition");
const object = (v) => need(typeof v === "object" && v !== null, v, "object");
