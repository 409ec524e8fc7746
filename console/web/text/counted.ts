export interface Forms {
  readonly one: string;
  readonly other: string;
}

/** `counted('en')(2, {one: '# agent', other: '# agents'})` is `2 agents`: the plural of the language, the number in its way. */
export function counted(language: 'en' | 'fr') {
  const rules = new Intl.PluralRules(language);
  const number = new Intl.NumberFormat(language);
  return (count: number, forms: Forms) =>
    (rules.select(count) === 'one' ? forms.one : forms.other).replace('#', number.format(count));
}
