#include <iostream>
#include <json/json.h>

int main() {
  Json::Value orders;
  std::cin >> orders;
  int total = 0;
  for (const auto &order : orders) total += order["price"].asInt() * order["count"].asInt();
  std::cout << total << "\n";
}
