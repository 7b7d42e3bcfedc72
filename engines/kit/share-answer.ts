/** `ask`, where those who want the same while it is being asked share the one answer: two scan types of one program start it once. Nothing is kept after that. */
export function shareAnswer<What, Answer>(ask: (what: What) => Promise<Answer>, nameOf: (what: What) => string): (what: What) => Promise<Answer> {
  const asked = new Map<string, Promise<Answer>>();
  return (what) => {
    const name = nameOf(what);
    const shared = asked.get(name);
    if (shared) return shared;
    const answer = ask(what).finally(() => asked.delete(name));
    asked.set(name, answer);
    return answer;
  };
}
