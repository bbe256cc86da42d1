package yilian.peers.fhir;

import java.io.PrintStream;
import java.nio.charset.StandardCharsets;

/** What a peer tells the test: lines in UTF-8, fields between tabs. */
final class Lines {
    private static final PrintStream OUT = new PrintStream(System.out, true, StandardCharsets.UTF_8);

    static synchronized void say(Object... fields) {
        StringBuilder line = new StringBuilder();
        for (Object field : fields) {
            line.append(line.isEmpty() ? "" : "\t").append(field);
        }
        OUT.println(line);
    }

    private Lines() {}
}
