package io.periscan.zap.page;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** A form of a page with the fields inside it. */
public record Form(Tag tag, List<Tag> fields) {
    public static List<Form> of(Page page) {
        List<Form> forms = new ArrayList<>();
        Form open = null;
        for (Tag tag : page.tags()) {
            if (tag.is("form")) forms.add(open = new Form(tag, new ArrayList<>()));
            else if (tag.is("/form")) open = null;
            else if (open != null && (tag.is("input") || tag.is("select") || tag.is("textarea"))) open.fields.add(tag);
        }
        return forms;
    }

    public boolean isPost() {
        return tag.word("method").equals("post");
    }

    public boolean hasPassword() {
        return fields.stream().anyMatch((field) -> field.word("type").equals("password"));
    }

    /** Where it is sent, as the page says it; empty where that is the page's own address. */
    public String action() {
        return tag.text("action");
    }

    public boolean goesOverHttp() {
        return action().toLowerCase(Locale.ROOT).startsWith("http://");
    }
}
