import { readFileSync } from "node:fs";
import { load } from "./source/dist/js-yaml.mjs";

const orders = load(readFileSync("orders.yaml", "utf8"));
console.log(orders.reduce((total, order) => total + order.price * order.count, 0));
