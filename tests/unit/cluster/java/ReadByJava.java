// Reads one text on each line, as JSON-free as can be: "P" (a properties file) or "J" (a login line), and the text in
// Base64 of UTF-16BE. Prints what Java makes of it, in the same encoding, or ERROR. It made the answers in
// read_by_java.json, with Java 25 and kafka-clients 4.3.1:
//   java -cp kafka-clients.jar:slf4j-api.jar ReadByJava.java
import java.io.*;
import java.lang.reflect.*;
import java.nio.charset.StandardCharsets;
import java.util.*;
import javax.security.auth.login.AppConfigurationEntry;

public class ReadByJava {
    static String encoded(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_16BE));
    }

    public static void main(String[] none) throws Exception {
        Class<?> login = Class.forName("org.apache.kafka.common.security.JaasConfig");
        Constructor<?> read = login.getDeclaredConstructor(String.class, String.class);
        Method entries = login.getDeclaredMethod("getAppConfigurationEntry", String.class);
        read.setAccessible(true);
        entries.setAccessible(true);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            String text = new String(Base64.getDecoder().decode(line.substring(1)), StandardCharsets.UTF_16BE);
            StringBuilder said = new StringBuilder();
            try {
                Map<String, Object> pairs = new TreeMap<>();
                if (line.charAt(0) == 'P') {
                    Properties properties = new Properties();
                    properties.load(new StringReader(text));
                    properties.forEach((key, value) -> pairs.put((String) key, value));
                } else {
                    Object made = read.newInstance("x", text);
                    AppConfigurationEntry[] found = (AppConfigurationEntry[]) entries.invoke(made, "x");
                    if (found.length != 1) throw new IllegalArgumentException();
                    pairs.putAll(found[0].getOptions());
                    said.append(encoded(found[0].getLoginModuleName())).append(';');
                }
                pairs.forEach((key, value) -> said.append(encoded(key)).append(':').append(encoded((String) value)).append(';'));
            } catch (Exception error) {
                said.setLength(0);
                said.append("ERROR");
            }
            System.out.println(said);
        }
    }
}
