#include <png.h>
int main(void) { return 0; }
