import { expect, it } from 'vitest';
import { en } from '../../../console/web/text/en/overview.ts';
import { fr } from '../../../console/web/text/fr/overview.ts';

it('who says so agrees with how many they are', () => {
  const said = ({ mostSay }: Pick<typeof en, 'mostSay'>) => [
    mostSay(1, 1),
    mostSay(1, 3),
    mostSay(2, 3),
    mostSay(3, 3),
  ];
  expect(said(en)).toEqual(['It says', 'One of them says', '2 of them say', 'They say']);
  expect(said(fr)).toEqual(['Il dit', 'L’un d’entre eux dit', '2 d’entre eux disent', 'Ils disent']);
});
