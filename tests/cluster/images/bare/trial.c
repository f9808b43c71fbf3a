/* Says how it was started and that its loss is 0.5, without a last line's end, and is gone. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int count, char **words)
{
    const char *code = getenv("CODE");
    printf("process %d\n", getpid());
    for (int i = 0; i < count; i++)
        printf("<%s>\n", words[i]);
    printf("loss=0.5");
    return code ? atoi(code) : 0;
}
