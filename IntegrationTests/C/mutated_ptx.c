// Loads a thousand damaged modules: each is refused or loaded, none brings the worker down. Prints how many of each.
#include "check.h"
#include "kernels.h"

#define ROUNDS 1000

static uint64_t state = 88172645463325252ull;

static unsigned draw(unsigned below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (unsigned)(state % below);
}

static void damage(char *text)
{
    static const char *const words[] = { ".reg", "18446744073709551615", "{", "}", ";", "[", "<99999999>", ".b64", "%r1",
        ".align 3", ".shared .b8 x[4294967296];", "@%p1", "ret", "(", ".func", "0x", "-", "\"", "//", "/*" };
    unsigned length = (unsigned)strlen(text);
    unsigned at = draw(length), other = draw(length), count = 1 + draw(30);
    switch (draw(5)) {
    case 0: // flip bytes
        for (unsigned i = 0; i < count; i++) {
            unsigned place = draw(length);
            text[place] = (char)(text[place] ^ (1 << draw(7)));
            if (text[place] == 0)
                text[place] = ' ';
        }
        break;
    case 1: // cut out
        if (at + count < length)
            memmove(text + at, text + at + count, length - at - count + 1);
        break;
    case 2: // cut off
        text[at] = 0;
        break;
    case 3: // insert a word
        {
            const char *word = words[draw(sizeof words / sizeof *words)];
            size_t size = strlen(word);
            memmove(text + at + size, text + at, length - at + 1);
            memcpy(text + at, word, size);
        }
        break;
    default: // copy a piece over another
        if (at + count < length && other + count < length)
            memmove(text + at, text + other, count);
    }
}

int main(void)
{
    static const char *const seeds[] = { add_ptx, illegal_ptx, endless_ptx, half_good_ptx };
    unsigned loaded = 0, refused = 0;

    begin();
    for (unsigned round = 0; round < ROUNDS; round++) {
        char text[8192];
        CUmodule module;
        CUfunction function;
        strcpy(text, seeds[draw(4)]);
        for (unsigned i = 0, times = 1 + draw(3); i < times && text[0] != 0; i++)
            damage(text);
        CUresult result = cuModuleLoadData(&module, text);
        if (result != CUDA_SUCCESS) {
            refused++;
            continue;
        }
        loaded++;
        const char *const names[] = { "add", "illegal", "endless", "good", "bad" };
        for (unsigned i = 0; i < 5; i++)
            (void)cuModuleGetFunction(&function, module, names[i]);
        OK(cuModuleUnload(module));
    }
    // The worker still serves.
    OK(cuCtxSynchronize());
    load(add_ptx, "add");
    printf("loaded %u, refused %u\n", loaded, refused);
    REQUIRE(refused > ROUNDS / 4);
    puts("PASS");
    return 0;
}
