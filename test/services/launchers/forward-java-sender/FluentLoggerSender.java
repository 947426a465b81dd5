import java.util.Map;
import org.fluentd.logger.FluentLogger;

/** Sends one event with fluent-logger-java, which knows no acks: FluentLoggerSender PORT TAG MESSAGE. */
public class FluentLoggerSender {
    public static void main(String[] args) {
        // A tag is a prefix and a label, which it joins by a dot.
        int dot = args[1].lastIndexOf('.');
        FluentLogger logger = FluentLogger.getLogger(args[1].substring(0, dot), "127.0.0.1", Integer.parseInt(args[0]));
        boolean isSent = logger.log(args[1].substring(dot + 1), Map.of("message", args[2]));
        logger.close();
        System.exit(isSent ? 0 : 1);
    }
}
