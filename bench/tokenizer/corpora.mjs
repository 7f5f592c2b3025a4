// Texts to measure on, found on the machine itself: licences for prose, this project for code, the lock file for JSON,
// and the names that Intl knows, in fourteen languages, between sentences of article 1 of the Universal
// Declaration of Human Rights.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const maxCharacters = 400_000;

function* filesOf(folder, isWanted, depth) {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory() && depth > 0) yield* filesOf(path, isWanted, depth - 1);
    if (entry.isFile() && isWanted(entry.name)) yield path;
  }
}

function joined(folder, isWanted, depth) {
  const texts = new Set();
  let length = 0;
  for (const path of filesOf(join(root, folder), isWanted, depth)) {
    if (length > maxCharacters) break;
    const text = readFileSync(path, "utf8");
    // Generated data is not what people write.
    if (texts.has(text) || text.length > 100_000) continue;
    texts.add(text);
    length += text.length;
  }
  return [...texts].join("\n").slice(0, maxCharacters);
}

const articleOne = {
  zh: "人人生而自由，在尊严和权利上一律平等。他们赋有理性和良心，并应以兄弟关系的精神相对待。",
  ja: "すべての人間は、生れながらにして自由であり、かつ、尊厳と権利とについて平等である。",
  ko: "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다.",
  ru: "Все люди рождаются свободными и равными в своём достоинстве и правах.",
  ar: "يولد جميع الناس أحرارًا متساوين في الكرامة والحقوق.",
  hi: "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है।",
  el: "Όλοι οι άνθρωποι γεννιούνται ελεύθεροι και ίσοι στην αξιοπρέπεια και τα δικαιώματα.",
  he: "כל בני האדם נולדו בני חורין ושווים בערכם ובזכויותיהם.",
  th: "มนุษย์ทั้งหลายเกิดมามีอิสระและเสมอภาคกันในเกียรติศักดิ์และสิทธิ",
  de: "Alle Menschen sind frei und gleich an Würde und Rechten geboren.",
  fr: "Tous les êtres humains naissent libres et égaux en dignité et en droits.",
  es: "Todos los seres humanos nacen libres e iguales en dignidad y derechos.",
  tr: "Bütün insanlar hür, haysiyet ve haklar bakımından eşit doğarlar.",
  vi: "Tất cả mọi người sinh ra đều được tự do và bình đẳng về nhân phẩm và quyền.",
};

function multilingual() {
  const letters = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
  const codes = letters.flatMap((a) => letters.map((b) => a + b));
  const lines = Object.entries(articleOne).flatMap(([locale, sentence]) =>
    ["region", "language"].flatMap((type) => {
      const names = new Intl.DisplayNames(locale, { type, fallback: "none" });
      const known = codes
        .map((code) => names.of(type === "region" ? code : code.toLowerCase()))
        .filter(Boolean);
      const groups = [];
      for (let i = 0; i < known.length; i += 6)
        groups.push(`${known.slice(i, i + 6).join(", ")}. ${sentence}`);
      return groups;
    }),
  );
  return lines.join("\n");
}

export const corpora = {
  "English prose": joined("node_modules", (name) => /^licen[cs]e(\.md|\.txt)?$/i.test(name), 2),
  code: joined("src", (name) => /\.ts$/.test(name), 4),
  "14 languages": multilingual(),
  JSON: readFileSync(join(root, "package-lock.json"), "utf8").slice(0, maxCharacters),
};
