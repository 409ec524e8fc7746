// Writes waves of pairs of notes and says what was promised: `kept <n>` for a pair that is on the disk, `lost <n>` for one that
// was refused. Run under strace, which kills it or fails its disk at some call.
//
//   node test/faults/group-commit-driver.ts <database>
import { writeSync } from 'node:fs';
import { openDatabase } from '../../console/store/sqlite/database.ts';

const [path = ''] = process.argv.slice(2);
const database = openDatabase(path);
database.sql.exec('CREATE TABLE IF NOT EXISTS notes (pair INTEGER NOT NULL, half TEXT NOT NULL) STRICT');
writeSync(1, 'ready\n');
const insert = 'INSERT INTO notes (pair, half) VALUES (?, ?)';
for (let wave = 0; wave < 4; wave += 1) {
  const pairs = [0, 1, 2].map((each) => 3 * wave + each);
  await Promise.all(
    pairs.map(async (pair) => {
      try {
        await database.write(() => {
          database.prepare(insert).run(pair, 'left');
          database.prepare(insert).run(pair, 'right');
        });
        writeSync(1, `kept ${pair}\n`);
      } catch {
        writeSync(1, `lost ${pair}\n`);
      }
    }),
  );
}
database.close();
