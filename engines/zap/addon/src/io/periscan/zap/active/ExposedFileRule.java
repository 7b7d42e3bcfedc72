package io.periscan.zap.active;

import io.periscan.zap.Rule;
import io.periscan.zap.page.Page;
import java.io.IOException;
import java.util.List;
import org.parosproxy.paros.network.HttpMessage;

/**
 * Files that nobody meant to publish, in the folders of a site. WSTG-CONF-04, -05. Proven by what each holds, and by a name of ours in its place that does
 * not answer alike.
 */
abstract class ExposedFileRule extends PageRule {
    private static final int MOST_FOLDERS = 60;

    private final List<ExposedFiles.File> files;

    ExposedFileRule(Rule rule, List<ExposedFiles.File> files) {
        super(rule, MOST_FOLDERS);
        this.files = files;
    }

    @Override
    void probe(Page page) throws IOException {
        String folder = folderOf(page.url());
        if (folder == null || !isNew(folder)) return;
        for (ExposedFiles.File file : files) {
            if (isStop()) return;
            Page answer = fetch(folder + file.path());
            if (!file.is(answer) || file.is(fetch(folder + sibling(file.path())))) continue;
            report(answer, file.path(), folder + file.path(), "");
        }
    }

    /** Another name of the same shape: the last word is ours. */
    private static String sibling(String path) {
        int slash = path.lastIndexOf('/', path.length() - 2) + 1;
        return path.substring(0, slash) + (path.startsWith(".", slash) ? "." : "") + Token.word() + path.substring(slash).replaceFirst("^\\.?[^./]*", "");
    }

    private Page fetch(String url) throws IOException {
        HttpMessage message = requestFor(url);
        message.getRequestHeader().setHeader("Range", "bytes=0-" + (ExposedFiles.HEAD_BYTES - 1));
        return send(message);
    }
}
