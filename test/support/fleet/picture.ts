import { crc32, deflateSync } from 'node:zlib';

type Colour = readonly [red: number, green: number, blue: number];
const GREY: Colour = [226, 230, 236];
const DARK: Colour = [70, 82, 98];
const WHITE: Colour = [255, 255, 255];
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/**
 * What a screenshot of a flow may look like, as a PNG of 640 by 400: a window with a form in it, and a banner in the colour given.
 * 8 bits a channel, no alpha, no interlace (PNG, third edition, 11.2.1).
 */
export function screenshot(banner: Colour): Buffer {
  const [width, height] = [640, 400];
  const pixels = Buffer.alloc((width * 3 + 1) * height);
  const fill = (left: number, top: number, wide: number, high: number, colour: Colour) => {
    for (let y = top; y < top + high; y += 1) {
      for (let x = left; x < left + wide; x += 1) pixels.set(colour, y * (width * 3 + 1) + 1 + x * 3);
    }
  };
  fill(0, 0, width, height, WHITE);
  fill(0, 0, width, 36, GREY);
  for (const x of [14, 34, 54]) fill(x, 12, 12, 12, DARK);
  fill(96, 9, 420, 18, WHITE);
  fill(40, 60, 560, 44, banner);
  fill(56, 76, 300, 10, WHITE);
  for (const y of [130, 190, 250]) {
    fill(40, y, 120, 10, DARK);
    fill(40, y + 18, 400, 26, GREY);
  }
  fill(40, 326, 130, 36, banner);
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(pixels)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
